// The HTTP front of a peer: express, one task per request, answered 202 when the peer has stored it.
// `express` as the peer's name makes it a bare echo.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import type { Payload } from '../peers/peer.ts'
import { answerReports } from './notes.ts'
import { givenPlaces, untilTold } from './part.ts'

const app = express()
app.disable('x-powered-by')
app.disable('etag')
let accepted = 0
const [name = ''] = process.argv.slice(2)
let close = async (): Promise<void> => undefined
if (name === 'express') {
  app.post('/tasks', express.json(), (request, response) => {
    accepted += 1
    response.status(202).json(request.body)
  })
} else {
  const { places, peer } = await givenPlaces(name)
  const producer = await peer.produce(places)
  close = producer.close
  app.post('/tasks', express.json(), async (request, response) => {
    await producer.add(request.body as Payload)
    accepted += 1
    response.status(202).json({ status: 'PENDING' })
  })
}
const server = createServer({ keepAliveTimeout: 65_000 }, app)
server.listen(0, '127.0.0.1')
await once(server, 'listening')
answerReports(() => ({ accepted }))
process.send?.({ ready: { port: (server.address() as AddressInfo).port } })
await untilTold()
server.close()
server.closeAllConnections()
await close()
process.exit(0)
