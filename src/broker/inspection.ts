/**
 * Compares what exists on the broker with what should, over AMQP alone and without making anything: a passive
 * declaration tells whether it exists, and one with our arguments is refused when they differ.
 */
import { silentLog } from '../runtime/log.ts'
import { pause } from '../runtime/wait.ts'
import { createLink, type Link } from './link.ts'
import type { Session } from './session.ts'
import type { QueueDeclaration, Topology } from './topology.ts'

export interface Inspected {
  /** Such as `3.10.8`. */
  readonly version: string | undefined
  /** By name: `missing`, or how the broker says that it differs. What is as it should be is not in the map. */
  readonly exchanges: ReadonlyMap<string, string>
  readonly queues: ReadonlyMap<string, string>
}

const PATIENCE_MS = 15_000

/** Looks once. @throws Error with the reason when there is no connection, or no answer within 15 s */
export async function inspectBroker(url: string, topology: Topology): Promise<Inspected> {
  const inspected = Promise.withResolvers<Inspected>()
  const link = createLink({
    url,
    name: 'doctor',
    log: silentLog,
    onSession: async (session) => inspected.resolve(await inspect(session, topology)),
  })
  const done = new AbortController()
  await link.start()
  try {
    return await Promise.race([inspected.promise, failure(link, done.signal)])
  } finally {
    done.abort()
    await link.stop()
  }
}

/** Rejects at the first trouble, where a link would go on trying; never resolves. */
async function failure(link: Link, done: AbortSignal): Promise<never> {
  const until = performance.now() + PATIENCE_MS
  while (link.trouble === undefined && performance.now() < until && !done.aborted) await pause(50, done)
  throw new Error(link.trouble ?? `no answer within ${PATIENCE_MS / 1_000} s`)
}

async function inspect(session: Session, topology: Topology): Promise<Inspected> {
  const exchanges = new Map<string, string>()
  for (const { name, type } of topology.exchanges) {
    const differs =
      (await refusal(session, (channel) => channel.checkExchange(name))) ??
      (await refusal(session, (channel) => channel.assertExchange(name, type, { durable: true })))
    if (differs !== undefined) exchanges.set(name, differs)
  }
  const queues = new Map<string, string>()
  for (const { name, arguments: own } of topology.queues) {
    const differs =
      (await refusal(session, (channel) => channel.checkQueue(name))) ??
      (await refusal(session, (channel) => channel.assertQueue(name, { durable: true, arguments: { ...own } })))
    if (differs !== undefined) queues.set(name, await preferType(session, name, own, differs))
  }
  return { version: session.version, exchanges, queues }
}

/** The broker names one difference, and a queue of another type differs in much else that follows from it. */
async function preferType(
  session: Session,
  name: string,
  own: QueueDeclaration['arguments'],
  differs: string,
): Promise<string> {
  if (differs === 'missing') return differs
  const typeAlone = { durable: true, arguments: { 'x-queue-type': own['x-queue-type'] } }
  const said = await refusal(session, (channel) => channel.assertQueue(name, typeAlone))
  return said?.includes("'x-queue-type'") ? said : differs
}

type Channel = Awaited<ReturnType<Session['openChannel']>>

/** Says why the broker refuses, `missing` for what does not exist. A refusal closes its channel, so each has its own. */
async function refusal(session: Session, call: (channel: Channel) => Promise<unknown>): Promise<string | undefined> {
  const channel = await session.openChannel()
  try {
    await session.answered('looking at the topology', call(channel))
  } catch (error) {
    if (session.ended.aborted) throw error
    const { code, message } = error as { code?: unknown; message: string }
    if (code === 404) return 'missing'
    return /PRECONDITION[_-]FAILED - ([^"]*)/.exec(message)?.[1] ?? message
  }
  await channel.close().catch(() => undefined)
  return undefined
}
