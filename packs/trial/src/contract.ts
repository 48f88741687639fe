/**
 * Tasks for trying Nightshift out: they wait, fail, crash or echo, as their payload says. The demo and the tests use
 * them. Never load this pack in production: `trial.crash` ends its consumer.
 */

import { DURATION_PATTERN, defineTask } from 'nightshift-tasks'
import { z } from 'zod'

const queue = 'trial'

export const trialEcho = defineTask({
  name: 'trial.echo',
  summary: 'Returns its payload.',
  payload: z.json(),
  queue,
  effects: 'none',
})

const waitPayload = z.strictObject({ ms: z.int().min(0).max(3_600_000).describe('Milliseconds.') })

export const trialSleep = defineTask({
  name: 'trial.sleep',
  summary: 'Waits, and stops waiting when it is asked to stop.',
  payload: waitPayload,
  queue,
  effects: 'none',
})

export const trialOverrun = defineTask({
  name: 'trial.overrun',
  summary: 'Waits without heeding any signal. Its deadline is one second.',
  payload: waitPayload,
  queue,
  deadline: '1s',
  effects: 'none',
})

export const failPayload = z.strictObject({
  times: z.int().min(0).max(1_000_000).describe('How many attempts fail before one succeeds.'),
  message: z.string().min(1).max(1_000).optional(),
  retryable: z.boolean().optional().describe('false: the first failure ends the task.'),
  notBefore: z.string().regex(DURATION_PATTERN).optional().describe('Asks that the next attempt waits, such as 5s.'),
})

export const trialFail = defineTask({
  name: 'trial.fail',
  summary: 'Fails a number of times, then succeeds. Waits on the default ladder.',
  payload: failPayload,
  queue,
  effects: 'none',
})

export const trialFailFast = defineTask({
  name: 'trial.fail-fast',
  summary: 'Fails a number of times, then succeeds. Has a ladder of its own.',
  payload: failPayload,
  queue,
  ladder: ['1s', '2s', '4s'],
  effects: 'none',
})

export const trialCrash = defineTask({
  name: 'trial.crash',
  summary: 'Kills the consumer that runs it.',
  payload: z.strictObject({
    times: z.int().min(1).max(1_000).optional().describe('How many attempts do; without it, all.'),
  }),
  queue,
  effects: 'none',
})
