// Promise: what a task says in its errors and its ids reaches a terminal as text: it wipes, forges and hides nothing.
import { expect, test } from 'vitest'
import { finished, submit, withNightshift } from '../support/nightshift.ts'

const nightshift = withNightshift({ env: { NIGHTSHIFT_LEASE_SECONDS: '20' } })

const HOSTILE = 'shelf\u001b[2J\u001b]52;c;cm0gLXJm\u0007\u009b1A\u202egnp.exe'

test('commands print errors of tasks escaped', async () => {
  const api = await nightshift.startApi()
  const consumer = await nightshift.startConsumer()
  const payload = { times: 99, message: `${HOSTILE}\r\n0001  all is well`, retryable: false }
  const id = await submit(api, { name: 'trial.fail', payload })
  await finished(api, id)

  const printed = [
    await nightshift.command('dead-letters'),
    await nightshift.command('dead-letters', '--list'),
    await nightshift.command('redrive', '--all', '--dry-run'),
    await nightshift.command('why', id),
    await nightshift.command('why', id, '--json'),
    await nightshift.command('redrive', '--all', '--reason-text', HOSTILE),
  ]

  for (const text of printed) {
    expect(text).toContain('shelf\\u001b[2J')
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u)
    expect(text).not.toMatch(/^0001/m)
  }
  expect(JSON.parse(printed[4] as string).tasks[0].error.message).toContain(HOSTILE)
  expect(consumer.output.join('')).not.toMatch(/[\u007f-\u009f\p{Cf}]/u)
})
