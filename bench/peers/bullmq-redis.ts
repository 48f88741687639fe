// BullMQ on Redis, one `add` per task. One connection for the queue and one for the worker, as it opens them itself;
// concurrent adds share the connection's pipeline. How durable a job is, is the Redis server's setting (see redis.ts).
// Concurrency 50 did best while tasks arrive, 200 on a backlog (of 10, 50, 100, 200).
import { type BullmqQueue, type BullmqWorker, ledgerOf, producerOf, QUEUE } from './bullmq.ts'
import { type Peer, peerPackage } from './peer.ts'

interface Bullmq {
  readonly Queue: new (name: string, options: object) => BullmqQueue
  readonly Worker: new (
    name: string,
    work: (job: { data: Record<string, unknown> }) => Promise<object>,
    options: object,
  ) => BullmqWorker
}

const connectionOf = (url: string): object => ({
  host: '127.0.0.1',
  port: Number(new URL(url).port),
  maxRetriesPerRequest: null,
})
const bullmq = (): Bullmq => peerPackage<Bullmq>('bullmq')
const queueAt = (url: string): BullmqQueue => new (bullmq().Queue)(QUEUE, { connection: connectionOf(url) })

const peer: Peer = {
  prepare: async () => undefined,
  produce: async ({ redisUrl }) => producerOf(queueAt(redisUrl)),
  async work({ redisUrl }, handle, load) {
    const options = { connection: connectionOf(redisUrl), concurrency: load === 'backlog' ? 200 : 50 }
    const worker = new (bullmq().Worker)(QUEUE, async ({ data }) => handle(data), options)
    await worker.waitUntilReady()
    return { stop: () => worker.close() }
  },
  ledger: async ({ redisUrl }) => ledgerOf(queueAt(redisUrl)),
}

export default peer
