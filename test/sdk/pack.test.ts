// Promise: a pack that cannot work is refused where it is written, with the pack and the field named.
import { definePack, defineTask, isPack } from 'nightshift-tasks'
import { expect, test } from 'vitest'
import { z } from 'zod'

const send = defineTask({ name: 'mail.send', summary: 'Sends.', payload: z.json(), queue: 'mail', effects: 'external' })
const toSend = { method: 'post', path: '/api/v1/mails/send', task: 'mail.send', summary: 'Send a mail' } as const
const good = { name: 'mail', contracts: [send], routes: [toSend] }

test('a good pack is a pack, and what looks like one is none', () => {
  expect(isPack(definePack(good))).toBe(true)
  expect(definePack({ name: 'mail', contracts: [] })).toMatchObject({ routes: [], migrations: undefined })
  for (const other of [undefined, null, 'mail', good, { ...good, migrations: undefined }]) {
    expect(isPack(other)).toBe(false)
  }
})

const BAD = [
  { what: 'a name with capitals', change: { name: 'Mail' }, says: 'pack "Mail": the name must be' },
  { what: 'a name that is too long', change: { name: 'm'.repeat(41) }, says: 'the name must be' },
  { what: 'two contracts of one name', change: { contracts: [send, send] }, says: 'two contracts have the same name' },
  { what: 'two routes of one path', change: { routes: [toSend, toSend] }, says: 'two routes have the same path' },
  {
    what: 'a route outside of the API',
    change: { routes: [{ ...toSend, path: '/mails/send' }] },
    says: 'pack "mail": the route /mails/send must be /api/v1/ and',
  },
  {
    what: 'a route with a parameter',
    change: { routes: [{ ...toSend, path: '/api/v1/mails/{id}' }] },
    says: 'must be',
  },
  {
    what: 'a route to a task type of another',
    change: { routes: [{ ...toSend, task: 'shop.close' }] },
    says: 'submits "shop.close", which is none of its task types',
  },
]

test.each(BAD)('$what is refused', ({ change, says }) => {
  expect(() => definePack({ ...good, ...change })).toThrow(RangeError)
  expect(() => definePack({ ...good, ...change })).toThrow(says)
})
