// Promise: a session ends with the first reason, whatever waits for it ends too, and neither a connection's error nor a channel's
// ends the process. What the broker does not answer is given up after 10 s, and closing after 3.
import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { NoAnswer } from '../../src/broker/session.ts'
import { createLog } from '../../src/runtime/log.ts'
import { aConnection, type StandInChannel } from './stand-ins.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

/** What a promise became, or undefined while it waits. */
function fateOf(work: Promise<unknown>): { readonly now: () => unknown } {
  let fate: unknown
  work.then(
    (value) => (fate = ['gave', value]),
    (error: Error) => (fate = [error.name, error.message]),
  )
  return { now: () => fate }
}

test('an error ends it with its reason, and the close that follows says nothing new', () => {
  const { model, connection } = aConnection()
  const before = connection.ended.aborted

  model.emit('error', new Error('read ECONNRESET'))
  model.emit('close')

  expect(before).toBe(false)
  expect(connection.ended.reason).toEqual(new Error('read ECONNRESET'))
})

test('a close without an error ends it too', () => {
  const { model, connection } = aConnection()

  model.emit('close')

  expect(connection.ended.reason).toEqual(new Error('the connection was closed'))
})

test.each(['openChannel', 'openConfirmChannel'] as const)(
  '%s rejects when it ends first, with its reason',
  async (open) => {
    const { connection } = aConnection({ answers: { createChannel: 'never' } })
    const opening = fateOf(connection[open]())

    connection.fail('the broker went away')
    await vi.advanceTimersByTimeAsync(0)
    const later = fateOf(connection[open]())
    await vi.advanceTimersByTimeAsync(0)

    expect([opening.now(), later.now()]).toEqual([
      ['Error', 'the broker went away'],
      ['Error', 'the broker went away'],
    ])
  },
)

test.each(['openChannel', 'openConfirmChannel'] as const)(
  '%s is given up after 10 s without an answer',
  async (open) => {
    const { connection } = aConnection({ answers: { createChannel: 'never' } })
    const opening = fateOf(connection[open]())

    await vi.advanceTimersByTimeAsync(9_999)
    const before = opening.now()
    await vi.advanceTimersByTimeAsync(1)

    expect(before).toBeUndefined()
    expect(opening.now()).toEqual([NoAnswer.name, 'opening a channel took longer than 10 s'])
    expect(connection.ended.aborted).toBe(false)
  },
)

test('a call gives what the broker answers, or what it refuses with', async () => {
  const { connection } = aConnection()

  await expect(connection.answered('asking', Promise.resolve(7))).resolves.toBe(7)
  await expect(connection.answered('asking', Promise.reject(new Error('404')))).rejects.toThrow('404')
})

test('a call that was answered leaves neither a listener nor a timer behind', async () => {
  const { connection } = aConnection()

  for (let call = 0; call < 5; call++) await connection.answered('asking', Promise.resolve())
  await connection.answered('asking', Promise.reject(new Error('404'))).catch(() => undefined)

  expect(getEventListeners(connection.ended, 'abort')).toEqual([])
  expect(vi.getTimerCount()).toBe(0)
})

test.each(['openChannel', 'openConfirmChannel'] as const)(
  'what fails in a channel of %s is logged, not thrown',
  async (open) => {
    const lines: string[] = []
    const log = createLog('warn', 'test', { write: (line) => void lines.push(line) })
    const channel = (await aConnection({ log }).connection[open]()) as unknown as StandInChannel

    channel.emit('error', new Error('PRECONDITION_FAILED'))
    channel.emit('handler-error', new Error('a handler of ours'))

    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { level: 'warn', error: 'PRECONDITION_FAILED' },
      { level: 'error', error: { message: 'a handler of ours' } },
    ])
  },
)

test('it is closed with a word to the broker, and cut off once that is answered', async () => {
  let answer = (): void => undefined
  const answered = new Promise<void>((resolve) => (answer = resolve))
  const { connection, closes, isCutOff } = aConnection({ answers: { close: () => answered } })
  const closing = connection.close()

  expect([closes(), isCutOff()]).toEqual([1, false])
  answer()
  await closing

  expect(isCutOff()).toBe(true)
})

test('a broker that does not answer the close is cut off after 3 s', async () => {
  const { connection, isCutOff } = aConnection({ answers: { close: 'never' } })
  const closing = connection.close()

  await vi.advanceTimersByTimeAsync(2_999)
  const before = isCutOff()
  await vi.advanceTimersByTimeAsync(1)
  await closing

  expect([before, isCutOff()]).toEqual([false, true])
})

test('it says which broker it is', () => {
  expect(aConnection().connection.version).toBe('3.13.7')
})
