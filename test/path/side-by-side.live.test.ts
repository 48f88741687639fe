// Promise: two consumers run on one machine without any setting beyond the two URLs; a port that a setting names and that is
// taken ends the process with one error that names the setting and the fix.
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { withNightshift } from '../support/nightshift.ts'
import { startProcess } from '../support/processes.ts'

const nightshift = withNightshift()

/** Takes a port for the time of the test; the usual one may be taken by something else, which does as well. */
async function take(port: number): Promise<{ port: number; free(): void }> {
  const server = createServer()
  await new Promise<void>((resolve) => {
    server.once('error', () => resolve())
    server.listen(port, '0.0.0.0', () => resolve())
  })
  const address = server.address()
  return { port: typeof address === 'object' && address ? address.port : port, free: () => void server.close() }
}

test('two consumers without settings serve their metrics, though the usual port is taken', async () => {
  const usual = await take(9_090)
  const env = { DATABASE_URL: nightshift.databaseUrl, AMQP_URL: nightshift.amqpUrl, NIGHTSHIFT_PACKS: 'trial' }
  const consumers = [startProcess('consumer', env), startProcess('consumer', env)]

  const ports = await Promise.all(consumers.map(async ({ ready }) => Number((await ready).metricsPort)))
  const answers = await Promise.all(
    ports.map(async (port) => (await fetch(`http://127.0.0.1:${port}/health/live`)).status),
  )

  expect(new Set([9_090, ...ports]).size).toBe(3)
  expect(answers).toEqual([200, 200])
  for (const { log } of consumers) expect(log.map(({ msg }) => msg)).toContainEqual(expect.stringContaining('is taken'))
  for (const consumer of consumers) consumer.kill('SIGTERM')
  expect(await Promise.all(consumers.map(({ exit }) => exit))).toEqual(Array(2).fill({ code: 0, signal: null }))
  usual.free()
})

test.for([
  ['consumer', 'NIGHTSHIFT_METRICS_PORT'],
  ['api', 'NIGHTSHIFT_METRICS_PORT'],
  ['api', 'NIGHTSHIFT_HTTP_PORT'],
] as const)('%s with a taken port in %s ends and says so', async ([role, setting]) => {
  const taken = await take(0)

  const refused = startProcess(role, { ...nightshift.env, [setting]: String(taken.port) })

  expect(await refused.exit).toEqual({ code: 1, signal: null })
  expect(refused.output.join('\n')).toBe(
    `port ${taken.port} on 127.0.0.1 is taken: set ${setting} to a free port, or to 0 for any`,
  )
  taken.free()
})
