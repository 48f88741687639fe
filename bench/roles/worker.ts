// The worker process of a peer, with the no-op handler that every system runs.
import type { Load } from '../peers/peer.ts'
import { createNotes } from './notes.ts'
import { givenPlaces, untilTold } from './part.ts'

const [name = '', load = 'steady'] = process.argv.slice(2)
const { peer, places } = await givenPlaces(name)
const note = createNotes()
const worker = await peer.work(
  places,
  (payload) => {
    note(payload)
    return payload
  },
  load as Load,
)
process.send?.({ ready: {} })
await untilTold()
await worker.stop()
process.exit(0)
