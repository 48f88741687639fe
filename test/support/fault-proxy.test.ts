// Each fault of the proxy, seen by a client of an echo server.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { until } from './until.ts'

interface Client {
  readonly socket: Socket
  said: string
  isCut: boolean
}

let server: Server
let received: string
let connected: Set<Socket>
let proxy: FaultProxy
let clients: Client[]

beforeEach(async () => {
  received = ''
  connected = new Set()
  clients = []
  server = createServer((socket) => {
    connected.add(socket)
    socket.on('close', () => connected.delete(socket))
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      received += bytes
      socket.write(bytes)
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  proxy = await startFaultProxy({ targetPort: (server.address() as AddressInfo).port })
})

afterEach(async () => {
  for (const { socket } of clients) socket.destroy()
  await proxy.stop()
  server.close()
})

function aClient(): Client {
  const client: Client = { socket: connect(proxy.port, '127.0.0.1'), said: '', isCut: false }
  client.socket.on('data', (bytes) => {
    client.said += bytes
  })
  client.socket.on('error', () => {})
  client.socket.on('close', () => {
    client.isCut = true
  })
  clients.push(client)
  return client
}

async function says(client: Client, text: string): Promise<void> {
  client.socket.write(text)
  await until(`the echo of ${text}`, () => client.said.endsWith(text), { withinMs: 2_000, everyMs: 2 })
}

const cut = (client: Client) => until('the cut', () => client.isCut, { withinMs: 2_000, everyMs: 2 })
const arrived = (text: string) => until(text, () => received.includes(text), { withinMs: 2_000, everyMs: 2 })

test('without a fault everything passes', async () => {
  await says(aClient(), 'hello')

  expect(proxy.url('amqp://guest:guest@localhost:5672/a%2Fb')).toBe(`amqp://guest:guest@127.0.0.1:${proxy.port}/a%2Fb`)
})

test('a black hole towards the client swallows answers and keeps the connection', async () => {
  const client = aClient()
  await says(client, 'before ')
  proxy.blackhole('down')

  client.socket.write('lost ')
  await arrived('lost')
  await sleep(30)

  expect(client).toMatchObject({ said: 'before ', isCut: false })
  proxy.pass()
  await says(client, 'after')
  expect(client.said).toBe('before after')
})

test('a black hole towards the server swallows requests', async () => {
  const client = aClient()
  await says(client, 'before ')
  proxy.blackhole('up')
  client.socket.write('lost ')
  await sleep(30)
  proxy.pass()

  await says(client, 'after')

  expect(received).toBe('before after')
})

test('a reset cuts who is connected, and serves who comes later', async () => {
  const client = aClient()
  await says(client, 'hello')

  proxy.reset()

  await cut(client)
  await says(aClient(), 'again')
})

test('whoever is refused is cut at once, until all passes again', async () => {
  const before = aClient()
  await says(before, 'hello')
  proxy.refuse()

  await cut(before)
  await cut(aClient())

  proxy.pass()
  await says(aClient(), 'again')
})

test('a delay holds in both directions and keeps the order when it ends', async () => {
  const client = aClient()
  await says(client, 'hello')
  proxy.delay(60)
  const started = performance.now()

  client.socket.write('slow ')
  await sleep(5)
  proxy.pass()
  await says(client, 'fast')

  expect(client.said).toBe('helloslow fast')
  expect(performance.now() - started).toBeGreaterThan(55)
})

test('a cut after a request loses the answer to it, and nothing else', async () => {
  const [client, other] = [aClient(), aClient()]
  await says(client, 'begin ')
  await says(other, 'begin ')
  const isCut = proxy.cutAfterRequest((bytes) => bytes.includes('commit'))

  await says(other, 'query ')
  client.socket.write('commit ')
  await isCut

  await cut(client)
  expect(received).toContain('commit')
  expect(client.said).toBe('begin ')
  await says(other, 'commit too')
})

test('a cut after a request can wait for a certain answer', async () => {
  const client = aClient()
  const isCut = proxy.cutAfterRequest(
    (bytes) => bytes.includes('insert'),
    (bytes) => bytes.includes('done'),
  )

  await says(client, 'insert ')
  client.socket.write('done')
  await isCut

  await cut(client)
  expect(client.said).toBe('insert ')
})

test('dropped answers leave the connection hanging', async () => {
  const client = aClient()
  await says(client, 'begin ')
  const isDropped = proxy.dropAnswersOnce((bytes) => bytes.includes('commit'))

  client.socket.write('commit ')
  await isDropped
  await arrived('commit')
  await sleep(30)

  expect(client).toMatchObject({ said: 'begin ', isCut: false })
  await says(aClient(), 'commit too')
})

test('a held request and what follows it reach the server when released, in order', async () => {
  const client = aClient()
  await says(client, 'begin ')
  const held = proxy.holdRequest((bytes) => bytes.includes('commit'))

  client.socket.write('commit ')
  await held.reached
  client.socket.write('end')
  await says(aClient(), 'other ')

  expect(client.said).toBe('begin ')
  held.release()
  await arrived('commit end')
})

test('a held request dies with its client', async () => {
  const client = aClient()
  await says(client, 'begin ')
  const held = proxy.holdRequest((bytes) => bytes.includes('commit'))
  client.socket.write('commit ')
  await held.reached

  client.socket.destroy()

  await until('the end of the connection', () => connected.size === 0, { withinMs: 2_000, everyMs: 2 })
  expect(received).toBe('begin ')
})

test('what is said in the name of the server reaches every client, and not the server', async () => {
  const clients = [aClient(), aClient()]
  for (const client of clients) await says(client, 'hello')

  proxy.say(Buffer.from('psst'))

  for (const client of clients) {
    await until('the words', () => client.said === 'hellopsst', { withinMs: 2_000, everyMs: 2 })
  }
  expect(received).toBe('hellohello')
})
