// Promise: nothing that is asked of the metrics port, which needs no key, can end its process or keep it from answering.
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { silentLog } from '../../src/runtime/log.ts'
import { createMetricsServer } from '../../src/runtime/metrics-server.ts'

async function aServer(): Promise<number> {
  const server = createMetricsServer({
    host: '127.0.0.1',
    port: 0,
    ready: async () => ({ ready: true, checks: {} }),
    log: silentLog,
  })
  await server.start()
  onTestFinished(() => server.stop())
  return server.port
}

/** Sends a request line as it is and gives the status it is answered. */
function statusOf(port: number, target: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(`GET ${target} HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n`),
    )
    socket.on('data', (piece) => {
      text += piece
    })
    socket.once('error', reject)
    socket.once('close', () => resolve(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]))
  })
}

test.each([
  { target: '//', status: '400' },
  { target: '//[/metrics', status: '400' },
  { target: 'http://[', status: '400' },
  { target: '/%', status: '404' },
  { target: '/health/live?x=%', status: '200' },
])('$target is answered $status, and the next request too', async ({ target, status }) => {
  const port = await aServer()

  expect(await statusOf(port, target)).toBe(status)
  expect(await statusOf(port, '/health/ready')).toBe('200')
})
