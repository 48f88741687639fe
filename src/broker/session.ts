/**
 * Keeps one connection to the broker, for ever. Each connection that comes up is a new session with channels of its
 * own; nothing that belongs to an old session is ever used again. The traps of amqplib 2.3.1 that this closes were each
 * seen to crash or hang plainer code; they are named where they are closed.
 */
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Channel, type ChannelModel, type ConfirmChannel, connect } from 'amqplib'
import type { Log } from '../runtime/log.ts'
import type { Service } from '../runtime/service.ts'
import { aborted, within } from '../runtime/wait.ts'
import { gatherWrites } from './gather-writes.ts'

/** The broker did not answer in time; whether it will, nobody knows. */
export class NoAnswer extends Error {
  override name = 'NoAnswer'
}

export interface Session {
  /** Counts the connections of this link, from 1. */
  readonly generation: number
  /** What the broker says it is, such as `3.10.8`; undefined when it does not say. */
  readonly version: string | undefined
  /** Aborts when the connection is gone. */
  readonly ended: AbortSignal
  /** Opens a channel whose errors are logged. Rejects when the connection ends first. */
  openChannel(): Promise<Channel>
  openConfirmChannel(): Promise<ConfirmChannel>
  /** Gives what a call to the broker answers, or rejects after 10 s or when the connection ends: it may never answer. */
  answered<Result>(what: string, call: Promise<Result>): Promise<Result>
  /** Gives the connection up; the link makes a new one. */
  fail(why: string): void
}

export interface Link extends Service {
  readonly state: 'stopped' | 'connecting' | 'ready' | 'blocked'
  /** Why it is not ready, in one sentence, or undefined. */
  readonly trouble: string | undefined
}

export interface LinkOptions {
  readonly url: string
  /** Shown in the broker's list of connections. */
  readonly name: string
  readonly log: Log
  /** Prepares a new session. When it rejects or takes over 30 s the connection is given up and made anew. */
  readonly onSession: (session: Session) => Promise<void>
}

const CONNECT_TIMEOUT_MS = 10_000
const SETUP_TIMEOUT_MS = 30_000
const CLOSE_TIMEOUT_MS = 3_000
const HEARTBEAT_SECONDS = 10
const BACKOFF_MOST_MS = 30_000
/** A session that lived this long was no failure to connect. */
const LONG_LIFE_MS = 10_000
/**
 * The waits double up to 1.7 s when sessions come up and soon end: the broker is there. A message that amqplib cannot
 * decode ends each session it is delivered to, and only after so many deliveries does the broker set it aside.
 */
const MOST_FAILURES_WHEN_UP = 4

/** Makes a link. `start` does not wait for the broker: whoever needs it looks at `state`. */
export function createLink({ url, name, log, onSession }: LinkOptions): Link {
  let stopping = new AbortController()
  let running: Promise<void> | undefined
  let state: Link['state'] = 'stopped'
  let trouble: string | undefined
  let generation = 0
  /** When the present session was prepared, by the monotonic clock. */
  let readyAt: number | undefined

  async function keep(): Promise<void> {
    let failures = 0
    while (!stopping.signal.aborted) {
      state = 'connecting'
      readyAt = undefined
      try {
        await live()
      } catch (error) {
        trouble = (error as Error).message
      }
      if (stopping.signal.aborted) break
      failures = failuresAfter(failures, readyAt)
      // Full jitter keeps replicas from returning together.
      const waitMs = 100 + Math.random() * Math.min(BACKOFF_MOST_MS, 100 * 2 ** Math.min(failures, 10))
      log.warn({ link: name, trouble, wait_ms: Math.round(waitMs) }, 'broker connection is down')
      await sleep(waitMs, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
    state = 'stopped'
  }

  async function live(): Promise<void> {
    // Without `timeout` a peer that accepts and never speaks hangs connect() for ever.
    const model = await connect(withHeartbeat(url), {
      timeout: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      noDelay: true,
      clientProperties: { connection_name: name },
    })
    gatherWrites(streamOf(model))
    const ended = new AbortController()
    const end = (why: string): void => {
      if (!ended.signal.aborted) {
        trouble = why
        ended.abort(new Error(why))
      }
    }
    // Without an error listener, bound before anything else, a reset connection ends the process.
    model.on('error', (error: Error) => end(error.message))
    model.on('close', () => end('the connection was closed'))
    model.on('blocked', (reason: string) => {
      state = 'blocked'
      trouble = `publishers are blocked: ${reason}`
      log.warn({ link: name, reason }, 'broker blocks publishers')
    })
    model.on('unblocked', () => {
      state = 'ready'
      trouble = undefined
      log.info({ link: name }, 'broker takes messages again')
    })
    generation += 1
    const session = sessionOf(model, generation, ended.signal, end, log)
    const stop = (): void => end('the process stops this connection')
    stopping.signal.addEventListener('abort', stop, { once: true })
    try {
      if (stopping.signal.aborted) return
      await whileItLasts(SETUP_TIMEOUT_MS, 'preparing the session', onSession(session), ended.signal)
      if (state === 'connecting') {
        state = 'ready'
        trouble = undefined
      }
      readyAt = performance.now()
      log.info({ link: name, generation }, 'broker connection is up')
      await aborted(ended.signal)
    } finally {
      stopping.signal.removeEventListener('abort', stop)
      end('the session could not be prepared')
      // Closing and the wait after it take seconds, and nobody may take this link for ready meanwhile.
      state = 'connecting'
      await closeForSure(model)
    }
  }

  return {
    name: `broker link ${name}`,
    get state() {
      return state
    },
    get trouble() {
      return trouble
    },
    async start() {
      if (running) return
      stopping = new AbortController()
      running = keep()
    },
    async stop() {
      stopping.abort()
      await running
      running = undefined
    },
  }
}

/** Counts on after another session ended, or none came up (`readyAt` is undefined then). */
function failuresAfter(failures: number, readyAt: number | undefined): number {
  if (readyAt === undefined) return failures + 1
  return performance.now() - readyAt > LONG_LIFE_MS ? 1 : Math.min(failures + 1, MOST_FAILURES_WHEN_UP)
}

function sessionOf(
  model: ChannelModel,
  generation: number,
  ended: AbortSignal,
  end: (why: string) => void,
  log: Log,
): Session {
  // A channel without an error listener ends the process too. Its 'close' is the signal that its owners act on.
  const guard = <Kind extends Channel>(channel: Kind): Kind => {
    channel.on('error', (error: Error) => log.warn({ error: error.message }, 'a broker channel failed'))
    channel.on('handler-error', (error: Error) => log.error({ error }, 'a broker event handler threw'))
    return channel
  }
  const { version } = (model.connection as unknown as { serverProperties: { version?: string } }).serverProperties
  return {
    generation,
    version,
    ended,
    // While the broker blocks publishers, opening a channel on a publishing connection is not answered.
    openChannel: () => whileItLasts(CONNECT_TIMEOUT_MS, 'opening a channel', model.createChannel(), ended).then(guard),
    answered: (what, call) => whileItLasts(CONNECT_TIMEOUT_MS, what, call, ended),
    openConfirmChannel: () =>
      whileItLasts(CONNECT_TIMEOUT_MS, 'opening a channel', model.createConfirmChannel(), ended).then(guard),
    fail: end,
  }
}

function withHeartbeat(url: string): string {
  const parsed = new URL(url)
  // The broker's own default of 60 s finds a dead peer after 2-3 minutes. A heartbeat in the URL wins.
  if (!parsed.searchParams.has('heartbeat')) parsed.searchParams.set('heartbeat', String(HEARTBEAT_SECONDS))
  return parsed.href
}

/** Resolves like `work`, or rejects when it takes too long or the session ends: amqplib may answer neither way. */
function whileItLasts<Result>(ms: number, what: string, work: Promise<Result>, ended: AbortSignal): Promise<Result> {
  const over = aborted(ended).then(() => {
    throw ended.reason
  })
  return within(ms, Promise.race([work, over]), () => new NoAnswer(`${what} took longer than ${ms / 1_000} s`))
}

/** Closes a connection, by force when the broker does not answer: `close()` then never settles by itself. */
async function closeForSure(model: ChannelModel): Promise<void> {
  const closed = model.close().catch(() => undefined)
  await Promise.race([closed, sleep(CLOSE_TIMEOUT_MS, undefined, { ref: false })])
  streamOf(model).destroy()
}

/** The socket, which amqplib does not show. */
function streamOf(model: ChannelModel): Duplex {
  return (model.connection as unknown as { stream: Duplex }).stream
}
