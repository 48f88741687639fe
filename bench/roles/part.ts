// What the processes of a peer have in common: what they are given, and how long they live.
import { once } from 'node:events'
import type { Peer, Places } from '../peers/peer.ts'

/** Loads a peer by name; where its servers are comes with the environment. */
export async function givenPlaces(name: string): Promise<{ peer: Peer; places: Places }> {
  const { default: peer } = (await import(`../peers/${name}.ts`)) as { default: Peer }
  const { DATABASE_URL = '', AMQP_URL = '', REDIS_URL = '' } = process.env
  return { peer, places: { databaseUrl: DATABASE_URL, amqpUrl: AMQP_URL, redisUrl: REDIS_URL } }
}

/** Resolves when the benchmark asks this process to end, or is gone itself. */
export async function untilTold(): Promise<void> {
  const alive = setInterval(() => undefined, 60_000)
  await Promise.race([once(process, 'SIGTERM'), once(process, 'disconnect')])
  clearInterval(alive)
}
