// Promise: a process whose event loop stands still for a lease is ended; one that works, or that was frozen, is not.
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'vitest'
import { startInline } from '../support/inline.ts'

const WATCHED = `
  import { setTimeout as sleep } from 'node:timers/promises'
  import { createWatchdog } from './src/consumer/watchdog.ts'
  const watchdog = createWatchdog(1, 100)
  await watchdog.start()
  const block = (ms) => { for (const end = Date.now() + ms; Date.now() < end; ) {} }
`

test.concurrent('an event loop that stands still ends its process, which says why', async ({
  expect,
  onTestFinished,
}) => {
  const blocked = startInline(
    `${WATCHED}
    await sleep(300)
    block(60_000)`,
    onTestFinished,
  )

  expect(await blocked.exit).toEqual({ code: null, signal: 'SIGKILL' })
  expect(blocked.printed()).toContain('the event loop stood still for a lease')
})

test.concurrent('a process that works for longer than a lease in pieces goes on', async ({
  expect,
  onTestFinished,
}) => {
  const working = startInline(
    `${WATCHED}
    for (let n = 0; n < 10; n++) {
      block(150)
      await sleep(10)
    }
    await watchdog.stop()
    console.log('done')`,
    onTestFinished,
  )

  expect(await working.exit).toEqual({ code: 0, signal: null })
  expect(working.printed()).toBe('done\n')
})

test('a process that was frozen for longer than a lease goes on: its lease is judged by the database', async ({
  expect,
}) => {
  const frozen = startInline(`${WATCHED}
    console.log('ready')
    process.stdin.once('data', async () => {
      await sleep(1_300)
      console.log('still here')
      process.exit(0)
    })
    process.stdin.resume()`)
  await frozen.says('ready')

  frozen.kill('SIGSTOP')
  await sleep(1_500)
  frozen.kill('SIGCONT')
  frozen.type('go on\n')

  expect(await frozen.exit).toEqual({ code: 0, signal: null })
})

test.concurrent('after a stop the event loop may stand still', async ({ expect, onTestFinished }) => {
  const stopped = startInline(
    `${WATCHED}
    await watchdog.stop()
    await watchdog.stop()
    block(1_800)`,
    onTestFinished,
  )

  expect(await stopped.exit).toEqual({ code: 0, signal: null })
})
