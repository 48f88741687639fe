// What BullMQ's two backends have in common.
import type { Ledger, Producer } from './peer.ts'

export const QUEUE = 'tasks'

export interface BullmqQueue {
  on(event: 'error', listener: (error: Error) => void): unknown
  add(name: string, data: object): Promise<unknown>
  addBulk(jobs: readonly { name: string; data: object }[]): Promise<unknown>
  getJobCounts(...types: string[]): Promise<Record<string, number>>
  getCompleted(from: number, to: number): Promise<readonly FinishedJob[]>
  waitUntilReady(): Promise<unknown>
  close(): Promise<void>
}

interface FinishedJob {
  readonly data: { readonly due?: string }
  readonly finishedOn?: number
}

export interface BullmqWorker {
  waitUntilReady(): Promise<unknown>
  close(): Promise<void>
}

export async function producerOf(queue: BullmqQueue): Promise<Producer> {
  await queue.waitUntilReady()
  return {
    add: async (payload) => void (await queue.add('echo', payload)),
    addMany: async (payloads) => void (await queue.addBulk(payloads.map((data) => ({ name: 'echo', data })))),
    close: () => queue.close(),
  }
}

export async function ledgerOf(queue: BullmqQueue): Promise<Ledger> {
  // Its servers go away before it has closed the last connection.
  queue.on('error', () => undefined)
  await queue.waitUntilReady()
  return {
    async left() {
      const counts = await queue.getJobCounts('wait', 'active', 'delayed', 'prioritized')
      return Object.values(counts).reduce((sum, count) => sum + count, 0)
    },
    async recordedMs() {
      const jobs = (await queue.getCompleted(0, -1)).filter(({ data }) => data.due !== undefined)
      const byDue = jobs.toSorted((a, b) => Number(a.data.due) - Number(b.data.due))
      return byDue.map(({ data, finishedOn }) => (finishedOn ?? Number.NaN) - Number(data.due))
    },
    close: () => queue.close(),
  }
}
