// pg-boss: jobs are fetched and completed 500 at a time without a pause while there is more (`batchSize`,
// `burstWhenBatchFull`), and workers are woken by NOTIFY. A batch has one outcome: an outcome for each job
// (`perJobResults`) took three times as long.
import { Pool } from 'pg'
import { type Payload, type Peer, type Places, peerPackage } from './peer.ts'

interface PgBoss {
  on(event: 'error', listener: (error: Error) => void): void
  start(): Promise<unknown>
  stop(options: object): Promise<void>
  createQueue(name: string, options: object): Promise<void>
  send(name: string, data: object): Promise<string | null>
  insert(name: string, jobs: readonly { data: object }[]): Promise<unknown>
  work(name: string, options: object, handler: (jobs: readonly { data: Payload }[]) => Promise<object>): Promise<string>
}

const QUEUE = 'tasks'

async function bossAt({ databaseUrl }: Places, isWorker: boolean): Promise<PgBoss> {
  const { PgBoss: Boss } = peerPackage<{ PgBoss: new (options: object) => PgBoss }>('pg-boss')
  const boss = new Boss({
    connectionString: databaseUrl,
    max: 10,
    schedule: false,
    supervise: isWorker,
    useListenNotify: isWorker,
  })
  boss.on('error', (error) => console.error(error.message))
  await boss.start()
  return boss
}

const stop = (boss: PgBoss): Promise<void> => boss.stop({ graceful: true, timeout: 5_000 })

const peer: Peer = {
  async prepare(places) {
    const boss = await bossAt(places, false)
    await boss.createQueue(QUEUE, { notify: true })
    await stop(boss)
  },
  async produce(places) {
    const boss = await bossAt(places, false)
    return {
      add: async (data) => void (await boss.send(QUEUE, data)),
      addMany: async (payloads) =>
        void (await boss.insert(
          QUEUE,
          payloads.map((data) => ({ data })),
        )),
      close: () => stop(boss),
    }
  },
  async work(places, handle) {
    const boss = await bossAt(places, true)
    const options = { batchSize: 500, burstWhenBatchFull: true, localConcurrency: 2, pollingIntervalSeconds: 0.5 }
    await boss.work(QUEUE, options, async (jobs) => jobs.map(({ data }) => handle(data)))
    return { stop: () => stop(boss) }
  },
  async ledger({ databaseUrl }) {
    const pool = new Pool({ connectionString: databaseUrl, max: 1 })
    pool.on('error', () => undefined)
    return {
      async left() {
        const { rows } = await pool.query(`select count(*)::int as left from pgboss.job where state < 'completed'`)
        return rows[0].left
      },
      close: () => pool.end(),
    }
  },
}

export default peer
