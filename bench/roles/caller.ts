// Calls a peer as a library, without HTTP: one task at a time for the latency, or many in bulk.
import { setTimeout as sleep } from 'node:timers/promises'
import { nowMs } from '../clock.ts'
import { PAYLOAD, payloadDueAt } from '../load/payload.ts'
import { answerReports } from './notes.ts'
import { givenPlaces, untilTold } from './part.ts'

/** `{ singles, gapMs }` or `{ bulk, perCall, atOnce }`, answered with how many seconds it took. */
export type Order =
  | { readonly singles: number; readonly gapMs: number }
  | { readonly bulk: number; readonly perCall: number; readonly atOnce: number }

const [name = ''] = process.argv.slice(2)
const { peer, places } = await givenPlaces(name)
const producer = await peer.produce(places)
let accepted = 0

async function fill(bulk: number, perCall: number, atOnce: number): Promise<void> {
  let left = bulk
  const one = async (): Promise<void> => {
    while (left > 0) {
      const count = Math.min(perCall, left)
      left -= count
      await producer.addMany(Array.from({ length: count }, () => PAYLOAD))
      accepted += count
    }
  }
  await Promise.all(Array.from({ length: atOnce }, one))
}

process.on('message', async (message) => {
  if (typeof message !== 'object') return
  const order = message as Order
  const begun = performance.now()
  if ('bulk' in order) await fill(order.bulk, order.perCall, order.atOnce)
  else {
    for (let count = 0; count < order.singles; count++) {
      await producer.add(payloadDueAt(nowMs()))
      accepted += 1
      await sleep(order.gapMs)
    }
  }
  process.send?.({ done: { seconds: (performance.now() - begun) / 1_000 } })
})
answerReports(() => ({ accepted }))
process.send?.({ ready: {} })
await untilTold()
await producer.close()
process.exit(0)
