// The end of the demo: what happened, in figures and in three looks at single tasks. Says whether all is as promised.
import { expectedFriendships, type Friendship } from './data.ts'
import type { Outcomes } from './ledger.ts'
import type { Plan, Post } from './plan.ts'

/** What the posts were answered with. */
export interface Posted {
  readonly accepted: number
  readonly replayed: number
  /** Of every 202, in milliseconds: of those posted one at a time, and of those posted many at a time. */
  readonly latencies: { readonly alone: readonly number[]; readonly together: readonly number[] }
  readonly seconds: number
  /** A task of each kind, to look at. */
  readonly samples: ReadonlyMap<Post['kind'], { readonly taskId: string; readonly requestId: string }>
}

export interface Findings {
  readonly plan: Plan
  readonly posted: Posted
  readonly outcomes: Outcomes
  readonly seconds: number
  readonly friendships: ReadonlyMap<string, Friendship>
  readonly inFlight: number
  /** Runs `nightshift why` and gives what it prints. */
  readonly why: (id: string) => Promise<string>
}

/**
 * Prints the report.
 * @returns one sentence for each thing that is not as promised; none when all is well
 */
export async function report(findings: Findings, print: (line: string) => void): Promise<string[]> {
  const { plan, posted, outcomes } = findings
  const tell = (title: string, kind: Post['kind']): Promise<void> =>
    printStory(print, title, posted.samples.get(kind)?.requestId ?? '', findings)
  const sums = sumsOf(findings)

  print('')
  printFigures(print, findings, sums)
  print('')
  await tell('A retry climbing its ladder', 'recovers')
  await tell('A dead letter, explained', 'never works')
  await tell('A request, looked up by its id', 'conversation')
  return [...problemsOf(plan, posted, outcomes), ...sums.wrong]
}

function printFigures(print: (line: string) => void, findings: Findings, sums: ReturnType<typeof sumsOf>): void {
  const { plan, posted, outcomes, seconds, inFlight } = findings
  const { alone, together } = posted.latencies
  const requests = plan.first.length + plan.then.length
  const equal = sums.wrong.length === 0 ? 'equal, for each user' : 'NOT EQUAL'
  const lines = [
    [
      'accepted',
      `${number(posted.accepted)} tasks from ${number(requests)} requests in ${posted.seconds.toFixed(1)} s`,
    ],
    ['', `${number(posted.replayed)} repeats by another route were answered with the first task`],
    ['202 after', `p50 ${quantile(alone, 0.5)} with one request at a time`],
    [
      '',
      `p50 ${quantile(together, 0.5)}, p99 ${quantile(together, 0.99)} with ${inFlight} at a time, all on this machine`,
    ],
    ['finished', `${outcomesText(outcomes)}, ${seconds.toFixed(1)} s after the first request`],
    ['friendships', `${number(sums.conversations)} conversations of ${number(sums.users)} users counted`],
    ['', `total score ${number(sums.score)}, expected from the data file ${number(sums.expectedScore)}: ${equal}`],
  ]
  for (const [head = '', text] of lines) print(`${head.padEnd(12)} ${text}`)
}

/** Tells one story as an engineer gets to see it who has nothing but the id. */
async function printStory(print: (line: string) => void, title: string, requestId: string, { why }: Findings) {
  print(`${title}:`)
  print(`$ nightshift why ${requestId}`)
  for (const line of (await why(requestId)).split('\n')) print(`  ${line}`.trimEnd())
  print('')
}

function problemsOf(plan: Plan, posted: Posted, outcomes: Outcomes): string[] {
  const problems: string[] = []
  const expect = (what: string, seen: number, expected: number): void => {
    if (seen !== expected) problems.push(`${what}: ${number(seen)}, expected ${number(expected)}`)
  }
  expect('accepted tasks', posted.accepted, plan.tasks)
  expect('tasks that ended as SUCCESS', outcomes.SUCCESS, plan.expected.SUCCESS)
  expect('tasks that ended as FAILED', outcomes.FAILED, plan.expected.FAILED)
  expect('tasks not finished', outcomes.unfinished, 0)
  return problems
}

function sumsOf({ plan, friendships }: Findings) {
  const expected = expectedFriendships(plan.conversations)
  const total = (of: ReadonlyMap<string, Friendship>, key: 'score' | 'conversations'): number =>
    [...of.values()].reduce((sum, each) => sum + each[key], 0)
  const text = (one: Friendship | undefined): string =>
    one ? `score ${one.score}, ${one.status}, ${one.conversations} conversations` : 'nothing'
  const wrong = [...new Set([...expected.keys(), ...friendships.keys()])].flatMap((user) => {
    const [seen, wanted] = [text(friendships.get(user)), text(expected.get(user))]
    return seen === wanted ? [] : [`friendship of ${user}: ${seen}, expected ${wanted}`]
  })
  return {
    users: friendships.size,
    conversations: total(friendships, 'conversations'),
    score: total(friendships, 'score'),
    expectedScore: total(expected, 'score'),
    wrong,
  }
}

function outcomesText({ SUCCESS, FAILED, CANCELLED, unfinished }: Outcomes): string {
  const others = { CANCELLED, unfinished }
  const rest = Object.entries(others).flatMap(([word, count]) => (count === 0 ? [] : [`${number(count)} ${word}`]))
  return [`${number(SUCCESS)} SUCCESS`, `${number(FAILED)} FAILED (as built to)`, ...rest].join(', ')
}

function quantile(values: readonly number[], share: number): string {
  const sorted = values.toSorted((a, b) => a - b)
  const value = sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)]
  return value === undefined ? 'unknown' : `${value.toFixed(value < 10 ? 1 : 0)} ms`
}

/** Groups the digits by thousands: 11 674. */
function number(value: number): string {
  return String(value).replaceAll(/\B(?=(\d{3})+$)/g, ' ')
}
