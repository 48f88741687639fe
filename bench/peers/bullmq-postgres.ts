// BullMQ on PostgreSQL, by `withBackend(createPostgresBackend)`. Concurrency 50 (of 10, 50).
import { type BullmqQueue, type BullmqWorker, ledgerOf, producerOf, QUEUE } from './bullmq.ts'
import { type Peer, peerPackage } from './peer.ts'

interface Classes {
  readonly Queue: new (name: string, options: object) => BullmqQueue
  readonly Worker: new (
    name: string,
    work: (job: { data: Record<string, unknown> }) => Promise<object>,
    options: object,
  ) => BullmqWorker
}

interface Bullmq {
  withBackend(backend: unknown): Classes
  readonly createPostgresBackend: unknown
}

function classes(): Classes {
  const { withBackend, createPostgresBackend } = peerPackage<Bullmq>('bullmq')
  return withBackend(createPostgresBackend)
}

const queueAt = (url: string, migrate = false): BullmqQueue =>
  new (classes().Queue)(QUEUE, { connection: { connectionString: url, migrate } })

const peer: Peer = {
  async prepare({ databaseUrl }) {
    const queue = queueAt(databaseUrl, true)
    await queue.waitUntilReady()
    await queue.close()
  },
  produce: async ({ databaseUrl }) => producerOf(queueAt(databaseUrl)),
  async work({ databaseUrl }, handle) {
    const options = { connection: { connectionString: databaseUrl }, concurrency: 50 }
    const worker = new (classes().Worker)(QUEUE, async ({ data }) => handle(data), options)
    await worker.waitUntilReady()
    return { stop: () => worker.close() }
  },
  ledger: async ({ databaseUrl }) => ledgerOf(queueAt(databaseUrl)),
}

export default peer
