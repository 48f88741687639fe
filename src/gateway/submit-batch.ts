/**
 * `POST /api/v1/tasks/batch`: many tasks in one request, each accepted or refused on its own. NDJSON is read, accepted
 * and answered line by line; a JSON array is read whole and answered as an array.
 */
import { z } from 'zod'
import { itemsOf, stringFieldOf } from '../core/json-text.ts'
import { checkBodyHead, type Line, readBody, readLines } from '../http/body.ts'
import { BODY_LIMIT_BYTES, mediaTypeOf, textOf } from '../http/input.ts'
import { Problem, problemBody, problemOf, problemSchema } from '../http/problem.ts'
import { type Call, type Content, type NamedSchema, type Route, route } from '../http/route.ts'
import { metrics } from '../runtime/metrics.ts'
import { acceptedBody, isEntered } from './accepted.ts'
import { CLOUD_EVENT, CLOUD_EVENTS, cloudEventOf, cloudEventSchema } from './cloud-events.ts'
import { BATCH_ITEM, type Form } from './forms.ts'
import { inOrder } from './in-order.ts'
import type { Intake } from './intake.ts'
import { Row } from './row.ts'
import { acceptedSchema, batchItemSchema, IDEMPOTENCY_KEY } from './schemas.ts'

export interface BatchRoutesOptions {
  readonly intake: Intake
}

const MAX_BYTES = 8 * 1024 * 1024
const MAX_ITEMS = 10_000
/** Items are accepted in groups: half a commit's worth each, so that others get their turn. */
const GROUP_ITEMS = 250
const GROUP_BYTES = 1024 * 1024
/** While one group is committed, the next is checked. */
const GROUPS_AT_ONCE = 2

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

const BATCH_ITEM_SCHEMA = { name: 'BatchItem', schema: batchItemSchema }
const ANSWER_ITEM_SCHEMA = { name: 'BatchAnswerItem', schema: itemSchema }
const EVENTS_CONTENT: Content = {
  type: CLOUD_EVENTS,
  schema: { name: 'CloudEvent', schema: cloudEventSchema },
  isList: true,
}

/** As an array, and line by line. */
const bothWays = (schema: NamedSchema): Content[] => [
  { type: 'application/json', schema, isList: true },
  { type: NDJSON, schema },
]

/** What stands at one place of the batch; `text` as far as it was read. */
interface Item {
  readonly text: string
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
          'A JSON array, an array of CloudEvents, or one JSON object per line, up to 8 MiB and 10 000 items of up to 256 KiB. Each item is accepted ' +
          'or refused on its own, with its own idempotency key; the answer has one item for each, in order, as an array or ' +
          'by line as the request was. When the database goes away midway, the remaining items are refused as unavailable.',
        body: { required: true, contents: [...bothWays(BATCH_ITEM_SCHEMA), EVENTS_CONTENT] },
        answers: { 202: { says: 'What became of each item.', contents: bothWays(ANSWER_ITEM_SCHEMA) } },
        problems: [
          'malformed-json',
          'request-too-large',
          'unsupported-media-type',
          'invalid-parameter',
          'invalid-input',
          'too-much-at-once',
        ],
      },
      async answer(call) {
        if (call.header('idempotency-key') !== undefined) {
          throw new Problem('invalid-parameter', 'a batch has no Idempotency-Key: give each item its own `key`')
        }
        const type = mediaTypeOf(call, ['application/json', NDJSON, CLOUD_EVENTS], {
          [CLOUD_EVENT]: 'one event goes to POST /api/v1/tasks',
        })
        const form = type === CLOUD_EVENTS ? cloudEventOf() : BATCH_ITEM
        checkBodyHead(call, MAX_BYTES)
        const items = type === NDJSON ? groupsOfLines(call) : await groupsOfArray(call)
        const answers = inOrder(items, GROUPS_AT_ONCE, createGroupAnswerer(options, call, form))
        const text = type === NDJSON ? asLines(answers) : asArray(answers)
        return { status: 202, content: { type: type === NDJSON ? NDJSON : 'application/json; charset=utf-8', text } }
      },
    }),
  ]
}

interface Group {
  /** The place of its first item. */
  readonly from: number
  readonly items: readonly Item[]
}

function createGroupAnswerer({ intake }: BatchRoutesOptions, call: Call, form: Form) {
  // Once the database is away the rest is not tried: 10 000 items would wait for it one window after the other.
  let gone: Problem | undefined

  return ({ from, items }: Group): Promise<BatchAnswerItem[]> =>
    new Promise((resolve) => {
      const answers = new Array<BatchAnswerItem>(items.length)
      let left = items.length
      const rows: Row[] = []
      for (const [at, { text, problem }] of items.entries()) {
        const done = (row: Row): void => {
          if (row.problem?.slug === 'unavailable') gone = row.problem
          answers[at] = answerOf(from + at, row)
          left -= 1
          if (left === 0) resolve(answers)
        }
        const row = new Row({ call, form, sent: text, key: form.keyOf ? undefined : keyOf(text), done })
        if (problem ?? gone) row.finish(problem ?? gone)
        else rows.push(row)
      }
      intake.push(rows)
    })
}

function answerOf(index: number, row: Row): BatchAnswerItem {
  const place = row.key === undefined ? { index } : { index, key: row.key }
  if (isEntered(row)) {
    const replayed = row.accepted.kind === 'replayed' ? ({ replayed: true } as const) : {}
    return { ...place, accepted: true, ...acceptedBody(row), ...replayed }
  }
  const problem = problemOf(row.problem)
  metrics.tasksRejected.inc({ reason: problem.slug })
  const { requestId, trace } = row.call
  return { ...place, accepted: false, problem: problemBody(problem, { requestId, traceId: trace.traceId }) }
}

/** The key even of an item that is refused, so that the client can tell which one it was. */
function keyOf(text: string): string | undefined {
  if (!text.includes('"key"')) return undefined
  const key = stringFieldOf(text, 'key')
  return key !== undefined && IDEMPOTENCY_KEY.test(key) ? key : undefined
}

/** An item is only cut out here; whether it is JSON is found when it is read. */
async function groupsOfArray(call: Call): Promise<Generator<Group[]>> {
  const text = textOf(await readBody(call, MAX_BYTES))
  const items = itemsOf(text, MAX_ITEMS)
  if (items === undefined) throw notAnArray(text)
  if (items.length > MAX_ITEMS) {
    throw new Problem('request-too-large', `the batch has more than ${MAX_ITEMS} items: send it in parts`)
  }
  return groupsOf(
    items.map((item) => (bytesOf(item) > BODY_LIMIT_BYTES ? { text: item, problem: tooLarge() } : { text: item })),
    0,
  )
}

function notAnArray(text: string): Problem {
  if (/^\s*[{"\d-]/.test(text)) {
    return new Problem('invalid-input', 'the body must be a JSON array, or lines of application/x-ndjson')
  }
  return new Problem('malformed-json', 'the body is not one whole JSON array')
}

/** No text has more bytes than three times its characters. */
const bytesOf = (text: string): number => (text.length * 3 > BODY_LIMIT_BYTES ? Buffer.byteLength(text) : text.length)

function* groupsOf(items: readonly Item[], from: number): Generator<Group[]> {
  let first = 0
  let bytes = 0
  for (const [at, { text }] of items.entries()) {
    bytes += text.length
    if (at > first && (at - first >= GROUP_ITEMS || bytes > GROUP_BYTES)) {
      yield [{ from: from + first, items: items.slice(first, at) }]
      first = at
      bytes = text.length
    }
  }
  if (first < items.length) yield [{ from: from + first, items: items.slice(first) }]
}

/** What ends the reading early is the last item, because the answer has begun by then. */
async function* groupsOfLines(call: Call): AsyncGenerator<Group[]> {
  let count = 0
  try {
    for await (const lines of readLines(call, MAX_BYTES, BODY_LIMIT_BYTES)) {
      const room = MAX_ITEMS - count
      yield* groupsOf(lines.slice(0, room).map(itemOfLine), count)
      count += Math.min(lines.length, room)
      if (lines.length > room)
        throw new Problem('request-too-large', `the batch has more than ${MAX_ITEMS} items; the rest was not read`)
    }
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    yield [{ from: count, items: [{ text: '', problem: error }] }]
  }
}

function itemOfLine({ bytes, isWhole }: Line): Item {
  try {
    return isWhole ? { text: textOf(bytes) } : { text: bytes.toString('utf8'), problem: tooLarge() }
  } catch (error) {
    return { text: '', problem: problemOf(error) }
  }
}

const tooLarge = (): Problem => new Problem('request-too-large', `an item may have ${BODY_LIMIT_BYTES} bytes`)

async function* asLines(answers: AsyncIterable<BatchAnswerItem[][]>): AsyncGenerator<string> {
  for await (const groups of answers) yield groups.map(linesOf).join('')
}

const linesOf = (group: readonly BatchAnswerItem[]): string =>
  group.map((answer) => `${JSON.stringify(answer)}\n`).join('')

async function* asArray(answers: AsyncIterable<BatchAnswerItem[][]>): AsyncGenerator<string> {
  let before = '['
  for await (const groups of answers) {
    yield before +
      groups
        .flat()
        .map((answer) => JSON.stringify(answer))
        .join(',\n')
    before = ',\n'
  }
  yield before === '[' ? '[]\n' : ']\n'
}
