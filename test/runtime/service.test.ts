// Promise: services start in order and stop in reverse order, and no failure keeps another from being stopped.
import { expect, test } from 'vitest'
import { silentLog } from '../../src/runtime/log.ts'
import { type Service, startAll, stopAll } from '../../src/runtime/service.ts'
import { startInline } from '../support/inline.ts'

/** Services that note what happens to them; those named fail at it. */
function services({ failStart = '', failStop = '' } = {}): { all: Service[]; events: string[] } {
  const events: string[] = []
  const all = ['a', 'b', 'c'].map((name) => ({
    name,
    async start() {
      events.push(`start ${name}`)
      if (name === failStart) throw new Error(`${name} cannot start`)
    },
    async stop() {
      events.push(`stop ${name}`)
      if (name === failStop) throw new Error(`${name} cannot stop`)
    },
  }))
  return { all, events }
}

test('they start in order and stop in reverse order', async () => {
  const { all, events } = services()

  await startAll(all, silentLog)
  await stopAll(all, silentLog)

  expect(events).toEqual(['start a', 'start b', 'start c', 'stop c', 'stop b', 'stop a'])
})

test('when one cannot start, those before it are stopped and its error is thrown', async () => {
  const { all, events } = services({ failStart: 'c', failStop: 'b' })

  await expect(startAll(all, silentLog)).rejects.toThrow('c cannot start')

  expect(events).toEqual(['start a', 'start b', 'start c', 'stop b', 'stop a'])
})

test('one that cannot stop does not keep the others from stopping', async () => {
  const { all, events } = services({ failStop: 'b' })

  await stopAll(all, silentLog)

  expect(events).toEqual(['stop c', 'stop b', 'stop a'])
})

const RUN = (stop: string, start = ''): string => `
  import { createLog } from './src/runtime/log.ts'
  import { runUntilSignal } from './src/runtime/service.ts'
  const service = {
    name: 'test',
    async start() { ${start}; console.log('running') },
    async stop() { console.log('stopped by itself'); ${stop} },
  }
  const keepAlive = setInterval(() => {}, 1_000)
  await runUntilSignal([service], createLog('silent', 'test'), 300)
  clearInterval(keepAlive)
`

test.each(['SIGTERM', 'SIGINT'] as const)('%s stops them, and the process ends well', async (signal) => {
  const process = startInline(RUN(''))
  await process.says('running')

  process.kill(signal)

  expect(await process.exit).toEqual({ code: 0, signal: null })
  expect(process.printed()).toContain('stopped by itself')
})

test('a stop that takes longer than the deadline ends the process with 1', async () => {
  const process = startInline(RUN('await new Promise(() => {})'))
  await process.says('running')

  process.kill('SIGTERM')

  expect(await process.exit).toEqual({ code: 1, signal: null })
})

test('a start that fails ends the process with its error', async () => {
  const process = startInline(RUN('', `throw new Error('the port is taken')`))

  expect((await process.exit).code).not.toBe(0)
  expect(process.printed()).toContain('the port is taken')
})
