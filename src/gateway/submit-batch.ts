/**
 * `POST /api/v1/tasks/batch`: many tasks in one request, each accepted or refused on its own. NDJSON is read, accepted
 * and answered line by line; a JSON array is read whole and answered as an array.
 */
import { z } from 'zod'
import { isOutage } from '../core/database-errors.ts'
import { checkBodyHead, readBody, readLines } from '../http/body.ts'
import { BODY_LIMIT_BYTES, mediaTypeOf, parseInput, parseJsonText, refuseFlaws } from '../http/input.ts'
import { Problem, problemBody, problemSchema, unavailable } from '../http/problem.ts'
import { type Call, type Route, route } from '../http/route.ts'
import { metrics } from '../runtime/metrics.ts'
import type { AcceptTask } from './accept-task.ts'
import { inOrder } from './in-order.ts'
import { acceptedSchema, batchItemSchema, IDEMPOTENCY_KEY } from './schemas.ts'

export interface BatchRoutesOptions {
  readonly tasks: AcceptTask
}

const MAX_BYTES = 8 * 1024 * 1024
const MAX_ITEMS = 10_000
/** Items of one request that are accepted at the same time: about one commit's worth, so others get their turn. */
const AT_ONCE = 200

const NDJSON = 'application/x-ndjson'

const itemSchema = z.union([
  acceptedSchema.extend({
    index: z.int().meta({ description: 'The place of the item in the request, from 0.' }),
    key: z.string().optional(),
    accepted: z.literal(true),
    replayed: z.literal(true).optional(),
  }),
  z.object({ index: z.int(), key: z.string().optional(), accepted: z.literal(false), problem: problemSchema }),
])
export type BatchAnswerItem = z.output<typeof itemSchema>

/** What was read at one place, and what is wrong with it already. */
interface Item {
  readonly value: unknown
  readonly problem?: Problem
}

/** Makes the route. */
export function createBatchRoutes(options: BatchRoutesOptions): Route[] {
  return [
    route({
      method: 'post',
      path: '/api/v1/tasks/batch',
      scopes: ['submit'],
      takesTasks: true,
      doc: {
        tag: 'Tasks',
        summary: 'Submit many tasks',
        description:
          'A JSON array or one JSON object per line, up to 8 MiB and 10 000 items of up to 256 KiB. Each item is accepted ' +
          'or refused on its own, with its own idempotency key; the answer has one item for each, in order, as an array or ' +
          'by line as the request was. When the database goes away midway, the remaining items are refused as unavailable.',
        body: {
          types: ['application/json', NDJSON],
          schema: { name: 'BatchItem', schema: batchItemSchema },
          required: true,
        },
        answers: {
          202: { says: 'What became of each item.', schema: { name: 'BatchAnswerItem', schema: itemSchema } },
        },
        problems: ['malformed-json', 'request-too-large', 'unsupported-media-type', 'invalid-parameter'],
      },
      async answer(call) {
        if (call.header('idempotency-key') !== undefined) {
          throw new Problem('invalid-parameter', 'a batch has no Idempotency-Key: give each item its own `key`')
        }
        const type = mediaTypeOf(call, ['application/json', NDJSON])
        checkBodyHead(call, MAX_BYTES)
        const items = type === NDJSON ? itemsOfLines(call) : await itemsOfArray(call)
        const answers = inOrder(items, AT_ONCE, createItemAnswerer(options, call))
        const text = type === NDJSON ? asLines(answers) : asArray(answers)
        return { status: 202, content: { type: type === NDJSON ? NDJSON : 'application/json; charset=utf-8', text } }
      },
    }),
  ]
}

function createItemAnswerer({ tasks }: BatchRoutesOptions, call: Call) {
  // Once the database is away the rest is not tried: 10 000 items would wait for it one window after the other.
  let gone: unknown
  const problemOf = (error: unknown): Problem => {
    if (error instanceof Problem) return error
    if (isOutage(error)) return unavailable('the database does not answer; repeat this item with its key', error)
    return new Problem('internal', 'something of ours failed; repeat this item with its key', { cause: error })
  }
  return async (item: Item, index: number): Promise<BatchAnswerItem> => {
    let key: string | undefined
    try {
      key = keyOf(item.value)
      if (item.problem) throw item.problem
      const { key: _, ...submission } = parseInput(batchItemSchema, item.value)
      if (gone !== undefined) throw gone
      const { task, body, isReplayed } = await tasks.accept(submission, { call, key, payloadAt: '/payload' })
      metrics.acceptSeconds.observe({}, (performance.now() - call.receivedAt) / 1_000, task.traceparent)
      return {
        index,
        ...(key === undefined ? {} : { key }),
        accepted: true,
        ...body,
        ...(isReplayed ? { replayed: true } : {}),
      }
    } catch (error) {
      const problem = problemOf(error)
      metrics.tasksRejected.inc({ reason: problem.slug })
      if (problem.slug === 'unavailable') gone = problem
      const told = problemBody(problem, { requestId: call.requestId, traceId: call.trace.traceId })
      return { index, ...(key === undefined ? {} : { key }), accepted: false, problem: told }
    }
  }
}

/** The key even of an item that is refused, so that the client can tell which one it was. */
function keyOf(value: unknown): string | undefined {
  const key: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, 'key') : undefined
  return typeof key === 'string' && IDEMPOTENCY_KEY.test(key) ? key : undefined
}

async function itemsOfArray(call: Call): Promise<Item[][]> {
  const values = parseJsonText(await readBody(call, MAX_BYTES))
  if (!Array.isArray(values))
    throw new Problem('invalid-input', 'the body must be a JSON array, or lines of application/x-ndjson')
  if (values.length > MAX_ITEMS)
    throw new Problem('request-too-large', `the batch has ${values.length} items, at most ${MAX_ITEMS} are taken`)
  return [values.map((value: unknown) => itemOf(() => value, false))]
}

/** What ends the reading early is the last item, because the answer has begun by then. */
async function* itemsOfLines(call: Call): AsyncGenerator<Item[]> {
  let items = 0
  try {
    for await (const lines of readLines(call, MAX_BYTES, BODY_LIMIT_BYTES)) {
      const room = MAX_ITEMS - items
      yield lines
        .slice(0, room)
        .map((line) =>
          'tooLong' in line ? { value: undefined, problem: tooLarge() } : itemOf(() => parseJsonText(line.bytes), true),
        )
      if (lines.length > room)
        throw new Problem('request-too-large', `the batch has more than ${MAX_ITEMS} items; the rest was not read`)
      items += lines.length
    }
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    yield [{ value: undefined, problem: error }]
  }
}

/** @param isLine its size is known to be within bounds; what stood in an array only has one as we write it */
function itemOf(read: () => unknown, isLine: boolean): Item {
  let value: unknown
  try {
    value = read()
    // Before its size is taken, because writing a deeply nested value exhausts the stack.
    refuseFlaws(value)
    if (!isLine && (JSON.stringify(value)?.length ?? 0) > BODY_LIMIT_BYTES) throw tooLarge()
    return { value }
  } catch (error) {
    if (error instanceof Problem) return { value, problem: error }
    throw error
  }
}

const tooLarge = (): Problem => new Problem('request-too-large', `an item may have ${BODY_LIMIT_BYTES} bytes`)

async function* asLines(answers: AsyncIterable<BatchAnswerItem[]>): AsyncGenerator<string> {
  for await (const group of answers) yield group.map((answer) => `${JSON.stringify(answer)}\n`).join('')
}

async function* asArray(answers: AsyncIterable<BatchAnswerItem[]>): AsyncGenerator<string> {
  let before = '['
  for await (const group of answers) {
    yield before + group.map((answer) => JSON.stringify(answer)).join(',\n')
    before = ',\n'
  }
  yield before === '[' ? '[]\n' : ']\n'
}
