// A private Redis that writes every change to an append-only file: synced on every write, or once a second.
import { mkdirSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { freePort } from '../scripts/servers/ports.ts'
import { startServerProcess } from '../scripts/servers/server-process.ts'

export interface Redis {
  readonly url: string
  readonly pid: number
  /** Forgets everything. */
  flush(): Promise<void>
  /** Counts the keys. */
  size(): Promise<number>
  remove(): Promise<void>
}

/** Starts Redis, with this added to its environment, and resolves when it answers. */
export async function startRedis(
  folder: string,
  fsync: 'always' | 'everysec',
  added: Readonly<Record<string, string>> = {},
): Promise<Redis> {
  mkdirSync(folder, { recursive: true })
  const port = await freePort()
  const options = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '']
  const server = await startServerProcess({
    name: 'Redis',
    command: 'redis-server',
    args: [...options, '--appendonly', 'yes', '--appendfsync', fsync, '--maxmemory-policy', 'noeviction'],
    env: { PATH: `${process.env.PATH ?? ''}:/usr/bin`, ...added },
    logFile: `${folder}/redis.log`,
    cwd: folder,
    lastSignal: 'SIGKILL',
  })
  await server.ready(async () => (await call(port, 'PING').catch(() => '')) === '+PONG')
  return {
    url: `redis://127.0.0.1:${port}`,
    pid: server.pid,
    flush: async () => void (await call(port, 'FLUSHALL')),
    size: async () => Number((await call(port, 'DBSIZE')).slice(1)),
    async remove() {
      await server.end('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Sends one command without arguments and resolves with the one line of its answer. */
function call(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${command}\r\n`))
    socket.setTimeout(10_000, () => socket.destroy(new Error(`Redis does not answer ${command}`)))
    socket.once('error', reject)
    socket.once('data', (line) => {
      socket.destroy()
      resolve(line.toString().trim())
    })
  })
}
