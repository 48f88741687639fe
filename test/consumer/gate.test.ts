// Promise: an attempt that must run alone runs alone, the others run together, and everybody gets a turn.
import { expect, test } from 'vitest'
import { createGate } from '../../src/consumer/gate.ts'

const NEVER = new AbortController().signal

/** A gate whose entries say who is inside: `enter` as it is, `leave` by name. */
function aGate() {
  const gate = createGate()
  const inside: string[] = []
  const leaves = new Map<string, () => void>()
  const enter = async (name: string, { alone = false, signal = NEVER } = {}): Promise<void> => {
    leaves.set(name, await gate.enter(alone, signal))
    inside.push(name)
  }
  const leave = (name: string): void => {
    leaves.get(name)?.()
    if (inside.includes(name)) inside.splice(inside.indexOf(name), 1)
  }
  return { inside, enter, leave }
}

/** Lets everything happen that is not waiting for something else. */
const settled = () => new Promise(setImmediate)

test('those that need not be alone are inside together', async () => {
  const { inside, enter } = aGate()

  for (const name of ['a', 'b', 'c']) void enter(name)
  await settled()

  expect(inside).toEqual(['a', 'b', 'c'])
})

test('one that must be alone waits until all others have left', async () => {
  const { inside, enter, leave } = aGate()
  for (const name of ['a', 'b']) void enter(name)
  void enter('alone', { alone: true })
  await settled()

  leave('a')
  await settled()
  expect(inside).toEqual(['b'])

  leave('b')
  await settled()
  expect(inside).toEqual(['alone'])
})

test('who comes after one that must be alone waits for it, so that it does not starve', async () => {
  const { inside, enter, leave } = aGate()
  void enter('before')
  void enter('alone', { alone: true })
  for (const name of ['after 1', 'after 2']) void enter(name)
  await settled()

  leave('before')
  await settled()
  expect(inside).toEqual(['alone'])

  leave('alone')
  await settled()
  expect(inside).toEqual(['after 1', 'after 2'])
})

test('two that must be alone follow one another', async () => {
  const { inside, enter, leave } = aGate()
  for (const name of ['first', 'second']) void enter(name, { alone: true })
  await settled()
  expect(inside).toEqual(['first'])

  leave('first')
  await settled()

  expect(inside).toEqual(['second'])
})

test('letting go twice counts once', async () => {
  const { inside, enter, leave } = aGate()
  for (const name of ['a', 'b']) void enter(name)
  void enter('alone', { alone: true })
  await settled()

  leave('a')
  leave('a')
  await settled()

  expect(inside).toEqual(['b'])
})

test('who gives up waiting is refused with the reason, and no longer stands in the way', async () => {
  const { inside, enter } = aGate()
  const impatient = new AbortController()
  void enter('before')
  const waiting = enter('alone', { alone: true, signal: impatient.signal })
  void enter('after')
  await settled()
  expect(inside).toEqual(['before'])

  impatient.abort(new Error('no time'))

  await expect(waiting).rejects.toThrow('no time')
  await settled()
  expect(inside).toEqual(['before', 'after'])
})

test('an abort after the entry changes nothing', async () => {
  const { inside, enter, leave } = aGate()
  const late = new AbortController()
  void enter('a', { signal: late.signal })
  void enter('alone', { alone: true })
  await settled()

  late.abort()
  await settled()
  expect(inside).toEqual(['a'])

  leave('a')
  await settled()
  expect(inside).toEqual(['alone'])
})

test('who comes with an aborted signal does not get in', async () => {
  const { inside, enter } = aGate()

  const refused = enter('late', { signal: AbortSignal.abort(new Error('too late')) })

  await expect(refused).rejects.toThrow('too late')
  void enter('next')
  await settled()
  expect(inside).toEqual(['next'])
})
