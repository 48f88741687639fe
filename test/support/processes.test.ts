// How tests run Nightshift's processes, shown with programs that only pretend to be one.
import { expect, test } from 'vitest'
import { failOnLeftovers, leftovers, startProcess } from './processes.ts'

failOnLeftovers()

/** Runs `script` in place of src/main.ts: Node leaves the file alone when it is given a script to evaluate. */
function startScript(script: string, env: Record<string, string> = {}) {
  return startProcess('all', env, { nodeArgs: ['--eval', script] })
}

const SAYS_READY = `console.log(JSON.stringify({ level: 'info', msg: 'all ready', httpPort: 8080 }));`
const STAYS = 'setInterval(() => {}, 1000);'

test('a process is ready when it says so, and its log is kept', async () => {
  const started = startScript(`console.log('not json'); ${SAYS_READY} ${STAYS}`)

  expect(await started.ready).toMatchObject({ httpPort: 8080 })
  expect(started.log).toHaveLength(1)
  expect(started.output).toEqual(['not json'])
  started.kill()
  expect(await started.exit).toEqual({ code: null, signal: 'SIGTERM' })
})

test('a process that exits early is reported with its last words', async () => {
  const started = startScript(`console.error('AMQP_URL is not set'); process.exitCode = 2`)

  await expect(started.ready).rejects.toThrow(/exited without the log line waited for[\s\S]*AMQP_URL is not set/)
  expect(await started.exit).toEqual({ code: 2, signal: null })
})

test('a process sees only the environment it is given', async () => {
  const started = startScript(`console.log(Object.keys(process.env).sort().join())`, { HTTP_PORT: '0' })

  await started.exit

  expect(started.output).toEqual(['HTTP_PORT,PATH'])
})

test('a process left running is found and ended', async () => {
  const started = startScript(`${SAYS_READY} ${STAYS}`)
  await started.ready

  await expect(leftovers()).resolves.toEqual([`all (pid ${started.pid})`])
  expect(await started.exit).toEqual({ code: null, signal: 'SIGKILL' })
})
