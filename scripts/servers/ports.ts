// Picks free TCP ports for private servers.
// Always below 32768: Linux hands out 32768-60999 to client sockets, and a listener placed there meets EADDRINUSE.
import { randomInt } from 'node:crypto'
import { connect, createServer } from 'node:net'

const LOWEST = 20_000
const HIGHEST = 32_000
const ATTEMPTS = 200

/**
 * Finds ports of 127.0.0.1 on which nothing listens. They are not reserved: the caller starts its server at once.
 *
 * @param count  how many different ports
 * @returns exactly `count` ports, in no order
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  for (let attempt = 0; ports.size < count; attempt++) {
    if (attempt === ATTEMPTS) throw new Error(`found no ${count} free ports from ${LOWEST} to ${HIGHEST}`)
    const port = randomInt(LOWEST, HIGHEST)
    if (await isFree(port)) ports.add(port)
  }
  return [...ports]
}

/** Finds one free port, see `freePorts`. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1)
  return port as number
}

/** Tells whether something accepts TCP connections there. */
export function accepts(port: number, host = '127.0.0.1', withinMs = 2_000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host })
    const settle = (answer: boolean) => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(withinMs, () => settle(false))
    socket.once('connect', () => settle(true))
    socket.once('error', () => settle(false))
  })
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
