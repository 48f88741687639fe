// Promise: the order of an attempt's steps. A delivery is acknowledged only when its task is settled; what was not claimed
// goes back to the queue, what was claimed never does; what the database did not answer is asked again, never guessed.
import { Aborted } from 'nightshift-tasks'
import { expect, test } from 'vitest'
import { acknowledgeLeft } from '../../src/consumer/ack.ts'
import { someSteps } from '../support/attempts.ts'
import { done, execution } from '../support/postgres-wire.ts'
import { until } from '../support/until.ts'

/** A handler that counts its calls, and ends when it is let go. */
function aHeldHandler() {
  const begun: string[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  const handle = async ({ task }: { readonly task: { readonly id: string } }): Promise<string> => {
    begun.push(task.id)
    await promise
    return 'done'
  }
  return { begun, handle, letGo: resolve }
}

const ENDS = `select f.status, f.failures, f.crashes, count(*)::int as attempts
                from finished f join attempt_history using (task_id) where f.task_id = $1 group by 1, 2, 3`
const ONCE = [{ status: 'SUCCESS', failures: 0, crashes: 0, attempts: 1 }]

test('a delivery is acknowledged when its task is settled, not before', async () => {
  const { proxy, submit, deliver, sql } = await someSteps({ handle: () => 'done' })
  const settle = proxy.holdRequest(execution('settle_success'))
  const id = await submit()

  const delivered = deliver({ id })
  await settle.reached
  expect(delivered.answer).toBeUndefined()
  settle.release()
  await delivered.done

  expect(delivered.answer).toBe('ack')
  expect(await sql(ENDS, [id])).toEqual(ONCE)
})

test.each([
  ['claim', 'claim'],
  ['settle', 'settle_success'],
])('a %s whose answer is lost is asked for again, and the handler runs once', async (_, statement) => {
  let calls = 0
  const { proxy, submit, deliver, sql } = await someSteps({ handle: () => ++calls })
  const cut = proxy.cutAfterRequest(execution(statement), done)
  const id = await submit()

  const delivered = deliver({ id })
  await cut
  await delivered.done

  expect(delivered.answer).toBe('ack')
  expect(calls).toBe(1)
  expect(await sql(ENDS, [id])).toEqual(ONCE)
})

test.each([
  ['claim', 'claim'],
  ['settle', 'settle_success'],
])('a %s that never arrives is asked for again, and the handler runs once', async (_, statement) => {
  let calls = 0
  const { proxy, submit, deliver, sql } = await someSteps({ handle: () => ++calls })
  const held = proxy.holdRequest(execution(statement))
  const id = await submit()

  const delivered = deliver({ id })
  await held.reached
  proxy.reset()
  held.release()
  await delivered.done

  expect(delivered.answer).toBe('ack')
  expect(calls).toBe(1)
  expect(await sql(ENDS, [id])).toEqual(ONCE)
})

test('a second copy of a message waits for the first to end, and begins nothing', async () => {
  const { begun, handle, letGo } = aHeldHandler()
  const { submit, deliver } = await someSteps({ handle })
  const id = await submit()

  const copies = [deliver({ id }), deliver({ id }), deliver({ id })]
  await until('the task to run', () => begun.length > 0)
  expect(copies.map(({ answer }) => answer)).toEqual([undefined, undefined, undefined])
  letGo()
  await Promise.all(copies.map((copy) => copy.done))

  expect(copies.map(({ answer }) => answer)).toEqual(['ack', 'ack', 'ack'])
  expect(begun).toEqual([id])
})

test('an attempt that must run alone waits for the others, and those that come after it wait for it', async () => {
  const { begun, handle, letGo } = aHeldHandler()
  const { steps, proxy, submit, deliver } = await someSteps({ handle })
  const [first, alone, last] = [await submit(), await submit(), await submit()]
  deliver({ id: first })
  await until('the first to run', () => begun.length === 1)
  const asked: string[] = []
  for (const id of [alone, last]) {
    const held = proxy.holdRequest(execution('claim', id))
    void held.reached.then(() => {
      asked.push(id)
      held.release()
    })
  }

  deliver({ id: alone, alone: true })
  deliver({ id: last })
  // What comes after them and needs no turn has been to the database and back.
  await deliver({ id: last }, { body: Buffer.from('nonsense') }).done
  expect(asked).toEqual([])
  letGo()
  await steps.idle()

  expect(asked).toEqual([alone, last])
  expect(begun).toEqual([first, alone, last])
})

test('a drain gives back what waits for its turn, and lets what runs finish', async () => {
  const { begun, handle, letGo } = aHeldHandler()
  const { draining, submit, deliver, sql } = await someSteps({ handle })
  const [running, waiting] = [await submit(), await submit()]
  const first = deliver({ id: running })
  await until('the first to run', () => begun.length === 1)
  const second = deliver({ id: waiting, alone: true })

  draining.abort(new Aborted('drain'))
  await second.done
  expect(second.answer).toBe('requeue')
  letGo()
  await first.done

  expect(first.answer).toBe('ack')
  expect(await sql(ENDS, [running])).toEqual(ONCE)
  expect(await sql('select status, attempt from unfinished')).toEqual([{ status: 'PENDING', attempt: 0 }])
})

test('at the end of a drain what was claimed is acknowledged, and what was not goes back', async () => {
  const { begun, handle, letGo } = aHeldHandler()
  const { steps, proxy, submit, deliver } = await someSteps({ handle })
  const [claimed, unclaimed] = [await submit(), await submit()]
  const first = deliver({ id: claimed })
  await until('the first to run', () => begun.length === 1)
  const claim = proxy.holdRequest(execution('claim'))
  const second = deliver({ id: unclaimed })
  await claim.reached

  acknowledgeLeft(steps.unacked)

  expect([first.answer, second.answer]).toEqual(['ack', 'requeue'])
  letGo()
})

test('a drain stops asking for a claim that is not answered, and gives the delivery back', async () => {
  const { draining, proxy, submit, deliver, sql } = await someSteps({ handle: () => 'done' })
  const claim = proxy.holdRequest(execution('claim'))
  const id = await submit()
  const delivered = deliver({ id })
  await claim.reached

  draining.abort(new Aborted('drain'))
  proxy.refuse()
  claim.release()
  await delivered.done

  expect(delivered.answer).toBe('requeue')
  expect(await sql('select status, attempt from unfinished')).toEqual([{ status: 'PENDING', attempt: 0 }])
})

test('a task that is claimed after its life was told to stop does not begin', async () => {
  const { begun, handle } = aHeldHandler()
  const { life, proxy, submit, deliver } = await someSteps({ handle })
  const claim = proxy.holdRequest(execution('claim'))
  const id = await submit()
  const delivered = deliver({ id })
  await claim.reached

  life.tellAll(new Aborted('drain'))
  claim.release()
  await delivered.done

  expect(begun).toEqual([])
  expect(delivered.answer, 'the hand-back comes first').toBeUndefined()
})

test('a message that cannot be understood is kept and refused, an unknown task is parked', async () => {
  const { submit, deliver, sql } = await someSteps({ handle: () => 'done' })
  const id = await submit()

  const nonsense = deliver({ id }, { body: Buffer.from('nonsense') })
  const unknown = deliver({ id }, { type: 'of.tomorrow' })
  await Promise.all([nonsense.done, unknown.done])

  expect([nonsense.answer, unknown.answer]).toEqual(['reject', 'ack'])
  expect(await sql('select reason from unreadable_message')).toEqual([{ reason: 'the body is not JSON' }])
  const [parked] = await sql('select due_at > now() as "isLater" from outbox where task_id = $1', [id])
  expect(parked).toEqual({ isLater: true })
})

test('what cannot be set aside, because the database is away, goes back to its queue', async () => {
  const { draining, proxy, submit, deliver } = await someSteps({ handle: () => 'done' })
  const id = await submit()
  proxy.refuse()
  draining.abort(new Aborted('drain'))

  const nonsense = deliver({ id }, { body: Buffer.from('nonsense') })
  const unknown = deliver({ id }, { type: 'of.tomorrow' })
  await Promise.all([nonsense.done, unknown.done])

  expect([nonsense.answer, unknown.answer]).toEqual(['requeue', 'requeue'])
})

test('a handler whose contract says that it has no effects is refused its tx, and told what to write', async () => {
  const { submit, deliver, sql } = await someSteps({
    effects: 'none',
    handle: ({ tx }) => tx(({ query }) => query('create table written (at int)')),
  })
  const id = await submit()

  await deliver({ id }).done

  const [letter] = await sql<{ reason: string; error: { message: string } }>('select reason, error from dead_letter')
  expect(letter?.reason).toBe('non_retryable')
  expect(letter?.error.message).toContain(`the contract of "test.run" says effects: 'none'`)
  expect(letter?.error.message).toContain(`effects: 'database'`)
  expect(await sql(`select to_regclass('written') as written`)).toEqual([{ written: null }])
})
