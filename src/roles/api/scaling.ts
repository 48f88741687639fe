/** Builds scaling: the page that an autoscaler reads, and the deletion costs of pods where they are wanted. */
import type { Page } from '../../runtime/metrics-server.ts'
import type { Service } from '../../runtime/service.ts'
import { createDeletionCost } from '../../scaling/deletion-cost.ts'
import { createScalingPage } from '../../scaling/endpoint.ts'
import type { Foundation } from './foundation.ts'

export interface BuiltScaling {
  /** By path, for the metrics port. */
  readonly pages: ReadonlyMap<string, Page>
  readonly services: readonly Service[]
}

export function buildScaling({ config, db, log, queues }: Foundation): BuiltScaling {
  const { podDeletionCost, podNamespace: namespace } = config
  return {
    pages: new Map([['/scaling', createScalingPage(queues)]]),
    services: podDeletionCost === 'true' ? [createDeletionCost({ db, namespace, log })] : [],
  }
}
