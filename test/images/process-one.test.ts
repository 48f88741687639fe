// Process 1 of a container gets no default action for a signal: what does not listen for SIGTERM cannot be ended by it.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import { childrenOf } from '../../scripts/servers/process-table.ts'
import { until } from '../support/until.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
// A process namespace of its own, in which the command is number 1. Not every machine lets its users make one.
const AS_PROCESS_ONE = ['--user', '--map-root-user', '--pid', '--fork', '--kill-child']
const isPossible = spawnSync('unshare', [...AS_PROCESS_ONE, 'true']).status === 0

let silent: Server | undefined
afterEach(() => void silent?.close())

/** Listens as a PostgreSQL that never answers. */
async function aSilentServer(): Promise<{ url: string; called: Promise<Socket> }> {
  const server = createServer()
  silent = server
  const called = once(server, 'connection').then(([socket]) => socket as Socket)
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return { url: `postgres://nobody@127.0.0.1:${(server.address() as AddressInfo).port}/none`, called }
}

test.skipIf(!isPossible).each(['SIGTERM', 'SIGINT'] as const)('%s ends a command that is process 1', async (signal) => {
  const { url, called } = await aSilentServer()
  const env = { PATH: process.env.PATH, DATABASE_URL: url }
  const child = spawn('unshare', [...AS_PROCESS_ONE, process.execPath, MAIN, 'migrate'], { env, stdio: 'ignore' })
  const exit = once(child, 'exit')
  try {
    const socket = await called
    const first = await until('process 1', () => childrenOf(child.pid as number)[0])

    process.kill(first, signal)

    const [code] = await exit
    socket.destroy()
    expect(code).toBe(signal === 'SIGTERM' ? 143 : 130)
  } finally {
    child.kill('SIGKILL')
  }
})
