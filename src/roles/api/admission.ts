/** Builds the admission: the door that the gateway asks, and the estimate of a start that the status calls tell. */
import { createAdmission, startsIn } from '../../admission/admission.ts'
import { createBurstRecorder } from '../../admission/burst-recorder.ts'
import { createMonitor } from '../../admission/monitor.ts'
import type { Admission } from '../../gateway/admit.ts'
import type { Service } from '../../runtime/service.ts'
import type { StartEstimate } from '../../status/task-routes.ts'
import type { Foundation } from './foundation.ts'

const UNVOUCHED = '(unvouched)'

export interface BuiltAdmission {
  readonly admission: Admission & StartEstimate
  readonly services: readonly Service[]
}

export function buildAdmission({ config, db, log, publisher, queues, slots }: Foundation): BuiltAdmission {
  const monitor = createMonitor({
    db,
    publisher: publisher.link,
    queues,
    slotsPerConsumer: slots,
    name: config.consumerName,
    log,
  })
  const byQueue = createAdmission({ monitor, limits: config })
  const bursts = createBurstRecorder({ db, log })
  const admission: Admission & StartEstimate = {
    admit({ queue, client, name }, count) {
      // Callers that no key vouches for share one share: a name costs them nothing.
      const admitted = byQueue.admit(queue, config.auth === 'on' ? client : UNVOUCHED, count)
      bursts.note(client, name, admitted.isAdmitted, count)
      return admitted
    },
    isCalm: byQueue.isCalm,
    startsInSeconds: (queue, ahead) => startsIn(ahead, monitor.figuresOf(queue)),
  }
  return { admission, services: [monitor, bursts] }
}
