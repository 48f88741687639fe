/**
 * The clients of one queue: the demand of each now, and its baseline, which is what it had while the queue was below its
 * low mark. The baseline was worked off, so it is no flood, and it stays the client's when another one floods.
 */
import { createRate, type Rate } from './rate.ts'
import { createTokenBucket, type TokenBucket } from './token-bucket.ts'

export interface Client {
  readonly bucket: TokenBucket
  /** What it asks for. */
  readonly demand: Rate
  /** What it was admitted for while the queue was below its low mark. */
  readonly baseline: Rate
}

/** What is worked off, tasks per second, by how many api processes it is shared out. */
export interface Supply {
  readonly drain: number
  readonly replicas: number
}

export interface Clients {
  of(name: string): Client
  /** Counts tasks that came in while the queue was below its low mark, and keeps the baselines. */
  countBaseline(client: Client, supply: Supply, at: number, count?: number): void
  /**
   * Says how many tasks per second a client may have of what is worked off here. By max-min fairness: each gets as
   * much as it asks for up to one level, so the largest demand is cut first, and all together get what is worked off.
   */
  rateOf(client: Client, supply: Supply, at: number): number
}

/** A client that asked within this time counts as active. */
const ACTIVE_MS = 10_000
const FORGOTTEN_MS = 600_000
const DEMAND_OVER_MS = 5_000
const BASELINE_OVER_MS = 10_000
/** Counting all clients anew for every request would cost more than the request. */
const DEMAND_EVERY_MS = 200
/** A flood fills a queue before it can be told from a baseline: so a baseline takes effect only after as long as this. */
const BASELINE_AFTER_MS = 3_000

interface Baseline {
  readonly at: number
  readonly rates: ReadonlyMap<Client, number>
  readonly ascending: readonly number[]
  /** How much of all that is worked off came in by this process, 0-1: clients are not spread evenly. */
  readonly part: number
}

export function createClients(): Clients {
  const clients = new Map<string, Client>()
  /** Of the active clients, the least first. */
  let demand: { readonly at: number; readonly ascending: readonly number[] } | undefined
  let baseline: Baseline | undefined
  let nextBaseline: Baseline | undefined

  function demandAt(at: number): readonly number[] {
    if (demand && at - demand.at < DEMAND_EVERY_MS) return demand.ascending
    const active: Client[] = []
    for (const [name, client] of clients) {
      const away = at - client.bucket.lastAsked
      if (away < ACTIVE_MS) active.push(client)
      else if (away > FORGOTTEN_MS) clients.delete(name)
    }
    demand = { at, ascending: sorted(active.map((client) => client.demand.now(at))) }
    return demand.ascending
  }

  function baselineAt(at: number, { drain, replicas }: Supply): Baseline {
    const rates = new Map([...clients.values()].map((client) => [client, client.baseline.now(at)]))
    const ascending = sorted([...rates.values()])
    const sum = ascending.reduce((total, rate) => total + rate, 0)
    return { at, rates, ascending, part: drain > 0 ? Math.min(1, sum / drain) : 1 / replicas }
  }

  return {
    of(name) {
      const known = clients.get(name) ?? {
        bucket: createTokenBucket(),
        demand: createRate(DEMAND_OVER_MS),
        baseline: createRate(BASELINE_OVER_MS),
      }
      clients.set(name, known)
      return known
    },
    countBaseline(client, supply, at, count = 1) {
      client.baseline.note(at, count)
      if (nextBaseline && at - nextBaseline.at < BASELINE_AFTER_MS) return
      baseline = nextBaseline
      nextBaseline = baselineAt(at, supply)
    },
    rateOf(client, { drain, replicas }, at) {
      const fair = levelOf(drain / replicas, demandAt(at))
      if (!baseline) return fair
      return Math.max(
        fair,
        Math.min(baseline.rates.get(client) ?? 0, levelOf(drain * baseline.part, baseline.ascending)),
      )
    },
  }
}

/** Finds the level up to which each can have its demand; when there is enough for all, what is left is divided on top. */
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
