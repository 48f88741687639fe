// graphile-worker as its page on performance advises for a high rate: jobs are fetched 500 at a time into a local queue
// and completed in batches. It deletes a job that is done, so nothing is left to look at.
// https://worker.graphile.org/docs/performance
import { Pool } from 'pg'
import { type Payload, type Peer, type Places, peerPackage } from './peer.ts'

interface WorkerUtils {
  migrate(): Promise<void>
  addJob(task: string, payload: object): Promise<unknown>
  addJobs(jobs: readonly { identifier: string; payload: object }[]): Promise<unknown>
  release(): Promise<void>
}

interface Graphile {
  makeWorkerUtils(options: object): Promise<WorkerUtils>
  run(options: object): Promise<{ stop(): Promise<void> }>
  readonly Logger: new (factory: () => () => void) => object
}

const TASK = 'echo'
const PRESET = {
  worker: { concurrentJobs: 24, maxPoolSize: 26, localQueue: { size: 500 }, completeJobBatchDelay: 0 },
}

const graphile = (): Graphile => peerPackage<Graphile>('graphile-worker')
const silent = (): object => new (graphile().Logger)(() => () => undefined)

function poolAt({ databaseUrl }: Places, max: number): Pool {
  const pool = new Pool({ connectionString: databaseUrl, max })
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}

const peer: Peer = {
  async prepare(places) {
    const pool = poolAt(places, 1)
    const utils = await graphile().makeWorkerUtils({ pgPool: pool, logger: silent() })
    await utils.migrate()
    await utils.release()
    await pool.end()
  },
  async produce(places) {
    const pool = poolAt(places, 10)
    const utils = await graphile().makeWorkerUtils({ pgPool: pool, logger: silent() })
    return {
      add: async (payload) => void (await utils.addJob(TASK, payload)),
      addMany: async (payloads) =>
        void (await utils.addJobs(payloads.map((payload) => ({ identifier: TASK, payload })))),
      async close() {
        await utils.release()
        await pool.end()
      },
    }
  },
  async work(places, handle) {
    const pool = poolAt(places, PRESET.worker.maxPoolSize)
    const taskList = { [TASK]: async (payload: Payload) => void handle(payload) }
    const runner = await graphile().run({
      preset: PRESET,
      pgPool: pool,
      taskList,
      logger: silent(),
      noHandleSignals: true,
    })
    return {
      async stop() {
        await runner.stop()
        await pool.end()
      },
    }
  },
  async ledger(places) {
    const pool = poolAt(places, 1)
    return {
      async left() {
        const { rows } = await pool.query('select count(*)::int as left from graphile_worker._private_jobs')
        return rows[0].left
      },
      close: () => pool.end(),
    }
  },
}

export default peer
