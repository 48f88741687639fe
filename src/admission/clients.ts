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

/** What is worked off, tasks per second, by how many api processes it is shared out. */
export interface Supply {
  readonly drain: number
  readonly replicas: number
}

export interface Clients {
  of(name: string): Client
  /** Counts a task that came in while the queue was calm, and remembers what is usual. */
  letInCalm(client: Client, supply: Supply, at: number): void
  /**
   * Says how many tasks per second a client may have of what is worked off here. By max-min fairness: everybody gets as
   * much as he asks for up to one level, so who asks for most is cut first, and all together get what is worked off.
   */
  rateOf(client: Client, supply: Supply, at: number): number
}

/** A client that asked within this time counts as active. */
const ACTIVE_MS = 10_000
const FORGOTTEN_MS = 600_000
const ASKS_OVER_MS = 5_000
const CALM_OVER_MS = 10_000
/** Counting all clients anew for every request would cost more than the request. */
const CENSUS_EVERY_MS = 200
/** A flood fills a queue before anybody can tell it from usual traffic: what is usual was so for as long as this. */
const USUAL_AFTER_MS = 3_000

interface Usual {
  readonly at: number
  readonly rates: ReadonlyMap<Client, number>
  readonly ascending: readonly number[]
  /** How much of all that is worked off came in by this process, 0-1: clients are not spread evenly. */
  readonly part: number
}

export function createClients(): Clients {
  const clients = new Map<string, Client>()
  /** What the active ones ask for, the least first. */
  let census: { readonly at: number; readonly asks: readonly number[] } | undefined
  let usual: Usual | undefined
  let nextUsual: Usual | undefined

  function asksAt(at: number): readonly number[] {
    if (census && at - census.at < CENSUS_EVERY_MS) return census.asks
    const active: Client[] = []
    for (const [name, client] of clients) {
      const away = at - client.share.lastAsked
      if (away < ACTIVE_MS) active.push(client)
      else if (away > FORGOTTEN_MS) clients.delete(name)
    }
    census = { at, asks: sorted(active.map(({ asks }) => asks.now(at))) }
    return census.asks
  }

  function usualAt(at: number, { drain, replicas }: Supply): Usual {
    const rates = new Map([...clients.values()].map((client) => [client, client.calm.now(at)]))
    const ascending = sorted([...rates.values()])
    const sum = ascending.reduce((total, rate) => total + rate, 0)
    return { at, rates, ascending, part: drain > 0 ? Math.min(1, sum / drain) : 1 / replicas }
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
    letInCalm(client, supply, at) {
      client.calm.note(at)
      if (nextUsual && at - nextUsual.at < USUAL_AFTER_MS) return
      usual = nextUsual
      nextUsual = usualAt(at, supply)
    },
    rateOf(client, { drain, replicas }, at) {
      const fair = levelOf(drain / replicas, asksAt(at))
      if (!usual) return fair
      return Math.max(fair, Math.min(usual.rates.get(client) ?? 0, levelOf(drain * usual.part, usual.ascending)))
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

const sorted = (values: number[]): number[] => values.sort((a, b) => a - b)
