// The process that generates load, by one of three kinds: closed (so many in flight), open (so many a second, whatever
// comes back), single (one, a pause, the next).
import { setTimeout as sleep } from 'node:timers/promises'
import { nowMs } from '../clock.ts'
import { untilTold } from '../roles/part.ts'
import { quantile } from '../statistics.ts'
import { createConnections } from './connections.ts'
import type { Generated, Job } from './generate.ts'
import { DUE_PLACE } from './payload.ts'

process.on('message', async (job: Job) => {
  const connections = createConnections(job.url)
  const seen = { latencies: [] as number[], refused: 0 }
  /** Posts what was due at this moment; the clock of its latency began then. */
  const post = async (due: number): Promise<void> => {
    const status = await connections.post(job.body.replace(DUE_PLACE, due.toFixed(3))).catch(() => 0)
    if (status >= 200 && status < 300) seen.latencies.push(nowMs() - due)
    else seen.refused += 1
  }
  await run(job, post)
  connections.close()
  const { latencies, refused } = seen
  const done: Generated = {
    answered: latencies.length,
    refused,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    max: quantile(latencies, 1),
  }
  process.send?.({ done })
})

async function run(job: Job, post: (due: number) => Promise<void>): Promise<void> {
  if (job.kind === 'single') {
    for (let count = 0; count < job.count; count++) {
      await post(nowMs())
      await sleep(job.gapMs)
    }
    return
  }
  const end = nowMs() + job.seconds * 1_000
  if (job.kind === 'closed') {
    const one = async (): Promise<void> => {
      while (nowMs() < end) await post(nowMs())
    }
    await Promise.all(Array.from({ length: job.inFlight }, one))
    return
  }
  const underWay = new Set<Promise<void>>()
  const everyMs = 1_000 / job.perSecond
  let due = nowMs()
  while (due < end) {
    for (; due <= nowMs() && due < end; due += everyMs) {
      const posted = post(due)
      underWay.add(posted)
      void posted.finally(() => underWay.delete(posted))
    }
    await sleep(1)
  }
  await Promise.all(underWay)
}

process.send?.({ ready: {} })
await untilTold()
process.exit(0)
