/** The work of the trial pack: to wait, fail, crash or echo. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Handler, type HandlerContext, handlerOf, NonRetryable, NotBefore, parseDuration } from 'nightshift-tasks'
import type { z } from 'zod'
import {
  type failPayload,
  trialCrash,
  trialEcho,
  trialFail,
  trialFailFast,
  trialOverrun,
  trialSleep,
} from './contract.ts'

/** Fails as long as fewer than `times` failures are charged to the task, so a crash or a hand-back does not count. */
function failSome({ payload, task }: HandlerContext<z.output<typeof failPayload>>): { failed_before: number } {
  const { times, message = 'failed as the payload asks', retryable = true, notBefore } = payload
  if (task.failures >= times) return { failed_before: task.failures }
  if (!retryable) throw new NonRetryable(message)
  if (notBefore !== undefined) throw new NotBefore(message, parseDuration(notBefore))
  throw new Error(message)
}

const handlers: readonly Handler[] = [
  handlerOf(trialEcho, ({ payload }) => payload),
  handlerOf(trialSleep, async ({ payload, signal }) => {
    await sleep(payload.ms, undefined, { signal })
    return { slept_ms: payload.ms }
  }),
  handlerOf(trialOverrun, async ({ payload }) => {
    await sleep(payload.ms)
    return { slept_ms: payload.ms }
  }),
  handlerOf(trialFail, failSome),
  handlerOf(trialFailFast, failSome),
  handlerOf(trialCrash, async ({ payload, task, signal }) => {
    if (payload.times !== undefined && task.attempt > payload.times) return { crashed_before: payload.times }
    process.kill(process.pid, 'SIGKILL')
    // The signal takes a moment to arrive; nothing may be returned in it.
    await sleep(60_000, undefined, { signal })
  }),
]

export default handlers
