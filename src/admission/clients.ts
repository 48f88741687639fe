/**
 * The clients of one queue: who asks for how much now, and how much each was used to while nothing pressed. What they
 * were used to was worked off, so it is no flood, and it stays theirs when somebody else floods.
 */
import { createRate, type Rate } from './rate.ts'
import { createShare, type Share } from './share.ts'

export interface Client {
  readonly share: Share
  /** What it asks for. */
  readonly asks: Rate
  /** What it was let in for while the queue was calm. */
  readonly calm: Rate
}

export interface Clients {
  of(name: string): Client
  /**
   * Says how many tasks per second a client may have of what is worked off here. By max-min fairness: everybody gets as
   * much as he asks for up to one level, so who asks for most is cut first, and all together get `drain`.
   */
  rateOf(client: Client, drain: number, at: number): number
}

/** A client that asked within this time counts as active. */
const ACTIVE_MS = 10_000
const FORGOTTEN_MS = 600_000
const ASKS_OVER_MS = 5_000
const CALM_OVER_MS = 10_000
/** Counting all clients anew for every request would cost more than the request. */
const CENSUS_EVERY_MS = 200

interface Census {
  readonly at: number
  /** Of the active clients, the least first. */
  readonly asks: readonly number[]
  readonly calm: readonly number[]
}

export function createClients(): Clients {
  const clients = new Map<string, Client>()
  let census: Census | undefined

  function censusAt(at: number): Census {
    if (census && at - census.at < CENSUS_EVERY_MS) return census
    const active: Client[] = []
    for (const [name, client] of clients) {
      const away = at - client.share.lastAsked
      if (away < ACTIVE_MS) active.push(client)
      else if (away > FORGOTTEN_MS) clients.delete(name)
    }
    const sorted = (values: number[]): number[] => values.sort((a, b) => a - b)
    census = {
      at,
      asks: sorted(active.map(({ asks }) => asks.now(at))),
      calm: sorted(active.map(({ calm }) => calm.last)),
    }
    return census
  }

  return {
    of(name) {
      const known = clients.get(name) ?? {
        share: createShare(),
        asks: createRate(ASKS_OVER_MS),
        calm: createRate(CALM_OVER_MS),
      }
      clients.set(name, known)
      return known
    },
    rateOf(client, drain, at) {
      const { asks, calm } = censusAt(at)
      return Math.max(levelOf(drain, asks), Math.min(client.calm.last, levelOf(drain, calm)))
    },
  }
}

/** Finds the level up to which everybody can have his own; when there is enough for all, what is left is divided on top. */
function levelOf(drain: number, ascending: readonly number[]): number {
  let left = drain
  for (const [index, own] of ascending.entries()) {
    const fair = left / (ascending.length - index)
    if (own > fair) return fair
    left -= own
  }
  return (ascending.at(-1) ?? 0) + left / Math.max(1, ascending.length)
}
