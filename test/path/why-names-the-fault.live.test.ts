// Promise: any X-Request-Id leads to one plain sentence that names what really happened: each fault that is injected here
// is named by it, with what it was about, and nothing else is blamed.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { runCommand } from '../../scripts/demo/platform.ts'
import type { StoryJson } from '../../src/why/story.ts'
import { aVhost, type Vhost } from '../support/broker.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { type ApiProcess, call, submit, withNightshift } from '../support/nightshift.ts'
import type { RunningProcess } from '../support/processes.ts'
import { until } from '../support/until.ts'

let vhost: Vhost
let proxy: FaultProxy
let api: ApiProcess
// Above the fixture, so that it runs when that has removed its processes.
afterEach(async () => {
  await proxy.stop()
  await vhost.drop()
})
const nightshift = withNightshift(async () => {
  vhost = await aVhost()
  proxy = await startFaultProxy({ targetPort: Number(new URL(vhost.url).port) })
  const env = { NIGHTSHIFT_CONSUMER_NAME: 'api-1', NIGHTSHIFT_RETRY_LADDER: '10m', NIGHTSHIFT_DRAIN_GRACE_SECONDS: '1' }
  return { amqpUrl: proxy.url(vhost.url), env }
})
beforeEach(async () => {
  api = await nightshift.startApi()
})

const aConsumer = (name: string, env: Record<string, string> = {}) =>
  nightshift.startConsumer({ NIGHTSHIFT_CONSUMER_NAME: name, NIGHTSHIFT_QUEUES: 'trial:10', ...env })

async function end(consumer: RunningProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  consumer.kill(signal)
  await consumer.exit
}

async function storyOf(id: string): Promise<StoryJson> {
  const { status, body } = await call(api, 'GET', `/api/v1/requests/${id}`)
  if (status !== 200) throw new Error(`${id} is not found: ${status}`)
  return body
}

/** Waits until the sentence of the one task that the id leads to is this, and returns what led there. */
async function untilWhy(id: string, says: RegExp): Promise<StoryJson['tasks'][number]> {
  return until(
    `the sentence of ${id} to be ${says}`,
    async () => {
      const task = (await storyOf(id)).tasks[0]
      if (task && says.test(task.why)) return task
      throw new Error(`it is: ${task?.why}`)
    },
    { withinMs: 60_000, everyMs: 200 },
  )
}

const MOMENT = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z'
const LONG = '(?:\\d+ min(?: \\d+ s)?|\\d+\\.\\d s)'
const sentence = (...parts: string[]): RegExp => new RegExp(`^${parts.join('')}\\.$`)

test('what waits says for what, and what waited for what it had been', async () => {
  // Works on another queue, and knows no trial task.
  await aConsumer('older', { NIGHTSHIFT_QUEUES: 'conversations:10', NIGHTSHIFT_PACKS: 'conversation' })
  const echo = { name: 'trial.echo', payload: 1 }
  await submit(api, { ...echo, queue: 'conversations' }, { 'x-request-id': 'unknown' })
  await call(
    api,
    'POST',
    '/api/v1/tasks/batch',
    Array.from({ length: 40 }, () => echo),
    { 'x-client-id': 'billing' },
  )
  // How deep the queue is, is known once a second.
  await until('the api to know of the flood', async () => {
    const { body } = await call(api, 'POST', '/api/v1/tasks', echo, { 'x-client-id': 'billing' })
    return body.ahead >= 40
  })
  await submit(api, echo, { 'x-request-id': 'behind', 'x-client-id': 'shop' })
  await submit(api, { ...echo, delay: '1h' }, { 'x-request-id': 'later' })
  await untilWhy(
    'behind',
    sentence(
      'It waits .*: it has waited ',
      LONG,
      ' behind \\d+ tasks, 100 % of them from billing, and no consumer of queue trial lives',
    ),
  )
  const unknown = sentence(
    'It waits .* of queue conversations .*: the one living consumer of queue conversations does not know this task type, so it is offered again at ',
    MOMENT,
  )
  await untilWhy('unknown', unknown)
  proxy.refuse()
  await submit(api, echo, { 'x-request-id': 'away' })

  const later = await untilWhy('later', sentence('It waits for its time, ', MOMENT, ', as it was asked to'))
  const unreachable = `RabbitMQ could not be reached since ${MOMENT}, as api-1 saw it`
  await untilWhy(
    'away',
    sentence('It waits .*: it has waited ', LONG, '(?:: |.*, and )its message is not published: ', unreachable, '.*'),
  )
  proxy.pass()
  await aConsumer('worker')
  const done = 'It succeeded at the first attempt: it waited '
  const late = `no consumer of queue trial lived until ${MOMENT}`
  const behind = await untilWhy(
    'behind',
    sentence(done, LONG, ' behind up to \\d+ tasks, 100 % of (?:the last \\d+ of )?them from billing, and ', late),
  )
  const away = await untilWhy(
    'away',
    sentence(
      done,
      LONG,
      '(?:: |.*, and )its message was published only at ',
      MOMENT,
      ': ',
      unreachable,
      ', and ',
      late,
    ),
  )

  expect(later.status).toBe('PENDING')
  expect(behind.timeline.map(({ event }) => event)).toEqual([
    'accepted',
    'published',
    'attempt_started',
    'attempt_ended',
    'finished',
  ])
  expect(behind.timeline[0]?.detail).toMatch(/^from shop into queue trial, by api-1, up to \d+ before it$/)
  expect(away.attempts).toMatchObject([{ consumer: 'worker', outcome: 'success', reoffers: 0 }])
})

test('each end of an attempt is named: an error, a bad payload, a stop, a death, a cancel, a redrive', async () => {
  await submit(api, { name: 'trial.sleep', payload: { ms: 1 } }, { 'x-request-id': 'payload' })
  await nightshift.sql(`update task set payload = '{"ms": "soon"}' where request_id = 'payload'`)
  const first = await aConsumer('first')
  const long = await submit(api, { name: 'trial.sleep', payload: { ms: 3_600_000 } }, { 'x-request-id': 'long' })
  const refused = { times: 1, message: 'connect ECONNREFUSED 10.0.0.7:9200' }
  await submit(api, { name: 'trial.fail', payload: refused }, { 'x-request-id': 'rung' })
  const dead = await submit(
    api,
    { name: 'trial.fail', payload: { ...refused, retryable: false } },
    { 'x-request-id': 'dead' },
  )

  const refusal = 'attempt 1 failed: connection refused by 10\\.0\\.0\\.7:9200 \\(.*\\)'
  await untilWhy(
    'payload',
    sentence(
      'It failed for good at attempt 1, because its payload does not fit .*: attempt 1 failed: InvalidPayload: .*',
    ),
  )
  await untilWhy('rung', sentence('It waits ', LONG, ' more for attempt 2, due at ', MOMENT, ': ', refusal))
  await untilWhy(
    'dead',
    sentence('It failed for good at attempt 1, because its error says that repeating cannot help: ', refusal),
  )
  await call(api, 'POST', `/api/v1/tasks/${dead}/retry`, { reason: 'search is back' }, { 'x-request-id': 'again' })
  await untilWhy(
    'again',
    sentence(
      'It failed for good at attempt 2, .*: ',
      refusal,
      '; anonymous \\(search is back\\) sent it round again; ',
      'attempt 2 failed: .*',
    ),
  )

  const running = (attempt: number, on: string) => untilWhy('long', new RegExp(`^Attempt ${attempt} runs on ${on} `))
  await running(1, 'first')
  await end(first, 'SIGTERM')
  const second = await aConsumer('second')
  await running(2, 'second')
  await end(second, 'SIGKILL')
  await aConsumer('third')
  const stop = 'attempt 1 ended when consumer first was told to stop \\(scale-down, deploy or restart\\), not charged'
  const death = 'attempt 2 ended when consumer second fell silent \\(killed, out of memory or cut off\\), not charged'
  await untilWhy('long', sentence('Attempt 3 runs on third .*: ', stop, '; .*', death, '.*'))
  await call(api, 'POST', `/api/v1/tasks/${long}/cancel`, { reason: 'too long' }, { 'x-request-id': 'enough' })
  await untilWhy(
    'enough',
    sentence('It was cancelled by anonymous \\(too long\\) while attempt 3 ran: ', stop, '; .*', death, '.*'),
  )

  await expectCommandTells(long)
})

/** The same by the command line, for somebody who has only the id. */
async function expectCommandTells(id: string): Promise<void> {
  const env = { DATABASE_URL: nightshift.databaseUrl }
  const text = await runCommand(['why', 'enough'], env)
  const json = JSON.parse(await runCommand(['why', id, '--json'], env)) as StoryJson

  expect(json).toEqual(await storyOf(id))
  expect(text).toContain(json.tasks[0]?.why)
  expect(text).toMatch(/^enough: a request that cancelled it or sent it round again\n\ntrial\.sleep .*: CANCELLED\n/)
  expect(text.split('\n').filter((line) => / attempt ended \(\d\) /.test(line))).toEqual([
    expect.stringMatching(/handed back after .*/),
    expect.stringMatching(/crash after .*/),
    expect.stringMatching(/cancelled after .*/),
  ])
  await expect(runCommand(['why', 'no-such-id'], env)).rejects.toThrow(
    /no task found for "no-such-id"\n.*request id, task id, trace id and idempotency key.*30 days/,
  )
  await expect(runCommand(['why'], env)).rejects.toThrow("missing required argument 'id'")
}
