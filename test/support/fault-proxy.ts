// Stands between a client and a server as a bad network: silent, slow, resetting, refusing, or losing an answer.
// A new mode holds for open connections and for later ones.

import { once } from 'node:events'
import { createServer, connect as dial, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../scripts/servers/ports.ts'

export type Direction = 'both' | 'up' | 'down'
export type Match = (bytes: Buffer) => boolean

export interface FaultProxy {
  readonly port: number
  /** Returns the URL of the server with the proxy's address in it. */
  url(original: string): string
  /** Forwards everything again; bytes swallowed meanwhile stay lost. */
  pass(): void
  /** Swallows bytes while connections stay open: `up` those to the server, `down` those to the client. */
  blackhole(direction: Direction): void
  /** Cuts all open connections with a RST. Later ones are served. */
  reset(): void
  /** Delays every chunk in both directions. */
  delay(ms: number): void
  /** Refuses new connections with a RST, and cuts the open ones. */
  refuse(): void
  /** Forwards the first chunk to the server that matches, then swallows all its connection receives: a hang. */
  dropAnswersOnce(match: Match): Promise<void>
  /**
   * Forwards the first chunk to the server that matches, waits for the server's answer, drops it and cuts the client
   * off: the server has done it and the client cannot know. Resolves when that has happened.
   *
   * @param match   sees raw chunks; SQL text is only in the first Parse of a prepared statement, values are in every Bind
   * @param answer  holds for the chunk that is the answer; answers before it are forwarded. Any chunk unless told
   */
  cutAfterRequest(match: Match, answer?: Match): Promise<void>
  /**
   * Holds back the first chunk to the server that matches, and whatever its connection says after it, until released.
   * When the client goes first the server never hears it.
   */
  holdRequest(match: Match): Held
  /** Says something to every client in the server's name. Only while the server says nothing: between two frames. */
  say(bytes: Buffer): void
  stop(): Promise<void>
}

export interface Held {
  /** Resolves when the chunk has come and is held. */
  readonly reached: Promise<void>
  release(): void
}

interface Link {
  readonly client: Socket
  readonly server: Socket
  readonly toClient: Lane
  readonly toServer: Lane
  loses?: Trap
}

/** Acts after the delay, and never out of turn: what comes later waits for an act that returns a promise. */
type Lane = (act: () => unknown) => void

interface Hold {
  readonly match: Match
  readonly until: Promise<void>
  readonly reached: () => void
}

interface Trap {
  readonly match: Match
  readonly answer: Match
  readonly andCut: boolean
  readonly sprung: () => void
}

/** Starts a proxy on a free port of 127.0.0.1. */
export async function startFaultProxy({ targetPort }: { targetPort: number }): Promise<FaultProxy> {
  const links = new Set<Link>()
  let traps: Trap[] = []
  let holds: Hold[] = []
  let swallowed: Direction | undefined
  let delayMs = 0
  let refuses = false

  const listener = createServer((client) => {
    if (refuses) return void client.resetAndDestroy()
    const link: Link = { client, server: dial(targetPort, '127.0.0.1'), toClient: lane(), toServer: lane() }
    links.add(link)
    join(client, link.server, link.toServer)
    join(link.server, client, link.toClient)
    client.once('close', () => links.delete(link))
    client.on('data', (bytes: Buffer) => up(link, bytes))
    link.server.on('data', (bytes: Buffer) => down(link, bytes))
  })

  const lane = () => createLane(() => delayMs)

  function up(link: Link, bytes: Buffer): void {
    const trap = traps.find((each) => each.match(bytes))
    if (trap) {
      traps = traps.filter((each) => each !== trap)
      link.loses = trap
      if (!trap.andCut) trap.sprung()
    }
    const hold = holds.find((each) => each.match(bytes))
    if (hold) {
      holds = holds.filter((each) => each !== hold)
      link.client.once('close', () => link.server.destroy())
      link.toServer(() => hold.until)
      hold.reached()
    }
    if (swallowed !== 'both' && swallowed !== 'up') link.toServer(() => link.server.write(bytes))
  }

  function down(link: Link, bytes: Buffer): void {
    const trap = link.loses
    if (trap && !trap.andCut) return
    if (trap?.answer(bytes)) {
      link.client.resetAndDestroy()
      trap.sprung()
      return
    }
    if (swallowed !== 'both' && swallowed !== 'down') link.toClient(() => link.client.write(bytes))
  }

  function setTrap(trap: Omit<Trap, 'sprung'>): Promise<void> {
    return new Promise((sprung) => traps.push({ ...trap, sprung }))
  }

  function reset(): void {
    for (const { client, server } of links) {
      client.resetAndDestroy()
      server.resetAndDestroy()
    }
  }

  const port = await freePort()
  await once(listener.listen(port, '127.0.0.1'), 'listening')
  return {
    port,
    url(original) {
      const url = new URL(original)
      url.hostname = '127.0.0.1'
      url.port = String(port)
      return url.href
    },
    pass() {
      swallowed = undefined
      delayMs = 0
      refuses = false
      traps = []
      holds = []
    },
    blackhole(direction) {
      swallowed = direction
    },
    reset,
    delay(ms) {
      delayMs = ms
    },
    refuse() {
      refuses = true
      reset()
    },
    dropAnswersOnce: (match) => setTrap({ match, answer: () => false, andCut: false }),
    cutAfterRequest: (match, answer = () => true) => setTrap({ match, answer, andCut: true }),
    holdRequest(match) {
      const { promise: reached, resolve: reach } = Promise.withResolvers<void>()
      const { promise: until, resolve: release } = Promise.withResolvers<void>()
      holds.push({ match, until, reached: reach })
      return { reached, release }
    },
    say(bytes) {
      for (const { client, toClient } of links) toClient(() => client.write(bytes))
    },
    async stop() {
      const closed = once(listener, 'close')
      listener.close()
      reset()
      await closed
    },
  }
}

// The end of one side is the end of the other, after what was said before.
function join(from: Socket, to: Socket, toOther: Lane): void {
  from.setNoDelay(true)
  from.on('error', () => to.destroy())
  from.on('end', () => toOther(() => to.end()))
  from.on('close', () => toOther(() => to.destroy()))
}

function createLane(delayMs: () => number): Lane {
  let last: Promise<unknown> = Promise.resolve()
  return (act) => {
    const due = performance.now() + delayMs()
    last = last.then(() => sleepUntil(due)).then(act)
  }
}

async function sleepUntil(due: number): Promise<void> {
  const ms = due - performance.now()
  if (ms > 1) await sleep(ms)
}
