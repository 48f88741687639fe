// Promise: a process that is not traced pays nothing for it: work gets what it was given, and its own promise is handed on.
import { expect, test } from 'vitest'
import { OFF } from '../../src/runtime/tracing/off.ts'

const TASK = {
  id: 'id',
  name: 'trial.echo',
  requestId: 'req',
  traceparent: `00-${'c'.repeat(32)}-${'d'.repeat(16)}-01`,
}
const never = (): never => {
  throw new Error('was described, though nobody reads it')
}

/** Tells what work was given, and whether its promise came back as it was. */
function watched<Result>(result: Result) {
  const given: unknown[] = []
  const promise = Promise.resolve(result)
  const work = (...words: unknown[]): Promise<Result> => {
    given.push(...words)
    return promise
  }
  return { given, promise, work }
}

test.each([
  ['publish', ['sent'], (work) => OFF.publish('sent', never, work)],
  ['deliver', ['wake-up'], (work) => OFF.deliver(undefined, 'wake-up', work)],
  ['attempt', ['claimed'], (work) => OFF.attempt({ ...TASK, attempt: 2 }, 'claimed', work)],
  ['step', ['one'], (work) => OFF.step('settle', 'one', work)],
  ['batch', [['a', 'b']], (work) => OFF.batch('claim', [], ['a', 'b'], work)],
  ['apart', [], (work) => OFF.apart(work)],
] as [string, unknown[], (work: (...words: unknown[]) => Promise<string>) => Promise<string>][])(
  '%s hands on what it is given',
  (_name, words, run) => {
    const { given, promise, work } = watched('confirmed')

    const answer = run(work)

    expect(answer).toBe(promise)
    expect(given).toEqual(words)
  },
)

test('the trace of every attempt is the stored one, and the offered context is kept', () => {
  const offered = { traceId: 'c'.repeat(32), traceparent: TASK.traceparent, tracestate: null }

  expect(OFF.traceIdOf({ ...TASK, attempt: 2 })).toBe('c'.repeat(32))
  expect(OFF.request('req', offered)).toBe(offered)
  expect(OFF.received({}, 'trial', never)).toBeUndefined()
})
