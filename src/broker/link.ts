/**
 * Keeps one connection to the broker, for ever. Each connection that comes up is a new session with channels of its own.
 */
import { type ChannelModel, connect, credentials } from 'amqplib'
import type { Log } from '../runtime/log.ts'
import type { Service } from '../runtime/service.ts'
import { aborted, pause } from '../runtime/wait.ts'
import { gatherWrites } from './amqplib-privates.ts'
import { Backoff } from './backoff.ts'
import { credentialsOf } from './credentials.ts'
import { Connection, type Session } from './session.ts'

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
const HEARTBEAT_SECONDS = 10

/** Makes a link. `start` does not wait for the broker: whoever needs it looks at `state`. */
export function createLink(options: LinkOptions): Link {
  return new KeptLink(options)
}

class KeptLink implements Link {
  readonly name: string
  readonly #options: LinkOptions
  #stopping = new AbortController()
  #running: Promise<void> | undefined
  #state: Link['state'] = 'stopped'
  #trouble: string | undefined
  #generation = 0
  /** When the present session was prepared, by the monotonic clock. */
  #readyAt: number | undefined

  constructor(options: LinkOptions) {
    this.#options = options
    this.name = `broker link ${options.name}`
  }

  get state(): Link['state'] {
    return this.#state
  }

  get trouble(): string | undefined {
    return this.#trouble
  }

  async start(): Promise<void> {
    if (this.#running) return
    this.#stopping = new AbortController()
    this.#running = this.#keep(this.#stopping.signal)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    this.#running = undefined
  }

  async #keep(stopping: AbortSignal): Promise<void> {
    const { name, log } = this.#options
    const backoff = new Backoff()
    while (!stopping.aborted) {
      this.#state = 'connecting'
      this.#readyAt = undefined
      try {
        await this.#live(stopping)
      } catch (error) {
        this.#trouble = (error as Error).message
      }
      if (stopping.aborted) break
      const waitMs = backoff.after(this.#readyAt === undefined ? undefined : performance.now() - this.#readyAt)
      log.warn({ link: name, trouble: this.#trouble, wait_ms: Math.round(waitMs) }, 'broker connection is down')
      await pause(waitMs, stopping)
    }
    this.#state = 'stopped'
  }

  /** Lives one session from connecting to closing. Rejects when there was none, or it could not be prepared. */
  async #live(stopping: AbortSignal): Promise<void> {
    const { url, name, log } = this.#options
    const { user, password } = credentialsOf(new URL(url))
    // Without `timeout` a peer that accepts and never speaks hangs connect() for ever.
    const model = await connect(withHeartbeat(url), {
      // What it reads from the URL by itself it takes for Latin-1.
      credentials: credentials.plain(user, password),
      timeout: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      noDelay: true,
      clientProperties: { connection_name: name },
    })
    this.#generation += 1
    const session = new Connection(model, this.#generation, log)
    gatherWrites(model)
    this.#watch(model, session)
    const stop = (): void => session.fail('the process stops this connection')
    stopping.addEventListener('abort', stop, { once: true })
    try {
      if (!stopping.aborted) await this.#use(session)
    } finally {
      stopping.removeEventListener('abort', stop)
      session.fail('the session could not be prepared')
      // Closing and the wait after it take seconds, and nobody may take this link for ready meanwhile.
      this.#state = 'connecting'
      await session.close()
    }
  }

  /** Prepares the session, and resolves when it has ended. */
  async #use(session: Connection): Promise<void> {
    const { name, log, onSession } = this.#options
    await session.whileItLasts(SETUP_TIMEOUT_MS, 'preparing the session', onSession(session))
    this.#readyAt = performance.now()
    // It may have been blocked meanwhile.
    if (this.#state === 'connecting') this.#becomeReady()
    log.info({ link: name, generation: session.generation }, 'broker connection is up')
    await aborted(session.ended)
  }

  /** Says what is the matter at once; closing takes its time. */
  #watch(model: ChannelModel, { ended }: Session): void {
    const { name, log } = this.#options
    ended.addEventListener('abort', () => {
      this.#trouble = (ended.reason as Error).message
    })
    model.on('blocked', (reason: string) => {
      this.#state = 'blocked'
      this.#trouble = `publishers are blocked: ${reason}`
      log.warn({ link: name, reason }, 'broker blocks publishers')
    })
    model.on('unblocked', () => {
      // Before it is prepared a session is of no use, blocked or not.
      if (this.#readyAt === undefined) this.#state = 'connecting'
      else this.#becomeReady()
      log.info({ link: name }, 'broker takes messages again')
    })
  }

  #becomeReady(): void {
    this.#state = 'ready'
    this.#trouble = undefined
  }
}

function withHeartbeat(url: string): string {
  const parsed = new URL(url)
  // The broker's own default of 60 s finds a dead peer after 2-3 minutes. A heartbeat in the URL wins.
  if (!parsed.searchParams.has('heartbeat')) parsed.searchParams.set('heartbeat', String(HEARTBEAT_SECONDS))
  return parsed.href
}
