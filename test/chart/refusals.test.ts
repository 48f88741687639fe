// Promise: values that cannot work are refused before anything is installed, by name and with the fix.
import { describe, expect, test } from 'vitest'
import { at, merged } from './cases.ts'
import { HELMS, refusal, SERVERS } from './chart.ts'

const pool = (more: object) => ({ consumers: { default: more } })
const scaling = (more: object) => pool({ autoscaling: more })

const WRONG = [
  { what: 'an unknown key', values: { replicas: 3 }, says: /replicas/ },
  { what: 'an unknown key below', values: at('api.replica', 3), says: /replica/ },
  { what: 'an unknown key of a pool', values: pool({ concurrency: 3 }), says: /concurrency/ },
  { what: 'an unknown setting', values: at('settings.NIGHTSHIFT_DEPTH_HIHG', 1), says: /NIGHTSHIFT_DEPTH_HIHG/ },
  {
    what: 'a setting that follows from values',
    values: at('settings.NIGHTSHIFT_QUEUES', 'a:1'),
    says: /NIGHTSHIFT_QUEUES/,
  },
  { what: 'the packs as a setting', values: at('settings.NIGHTSHIFT_PACKS', 'trial'), says: /NIGHTSHIFT_PACKS/ },
  { what: 'a pack that cannot be named', values: { packs: ['Mail!'] }, says: /packs/ },
  {
    what: 'a setting of the wrong type',
    values: at('settings.NIGHTSHIFT_DEPTH_HIGH', 'many'),
    says: /NIGHTSHIFT_DEPTH_HIGH/,
  },
  { what: 'a word that is no choice', values: at('migration.mode', 'maybe'), says: /migration[./]mode/ },
  { what: 'a number out of bounds', values: pool({ longestTaskSeconds: 1_201 }), says: /longestTaskSeconds/ },
  { what: 'a pool without queues', values: { consumers: { other: {} } }, says: /queues/ },
  {
    what: 'a pool whose name is too long',
    values: { consumers: { 'a-name-of-sixteen': {} } },
    says: /a-name-of-sixteen/,
  },
  { what: 'a queue that cannot be named', values: pool({ queues: [{ name: 'A b', concurrency: 1 }] }), says: /name/ },
  { what: 'a queue without concurrency', values: pool({ queues: [{ name: 'mail' }] }), says: /concurrency/ },
]

const UNFIT = [
  {
    what: 'a name that no Service may have',
    values: at('fullnameOverride', '1st'),
    says: 'all names would begin with "1st"',
  },
  { what: 'no database', values: at('database.existingSecret', ''), says: 'database.existingSecret is empty' },
  { what: 'no broker', values: at('broker.existingSecret', ''), says: 'broker.existingSecret is empty' },
  { what: 'no management API', values: at('broker.management.url', ''), says: 'set the source to api' },
  {
    what: 'no user for it',
    values: at('broker.management.existingSecret', ''),
    says: 'broker.management.existingSecret',
  },
  { what: 'a user in its URL', values: at('broker.management.url', 'http://u:p@mq'), says: 'has a user in it' },
  { what: 'nobody to work', values: pool({ enabled: false }), says: 'consumers has no pool' },
  {
    what: 'a queue in two pools',
    values: { consumers: { other: { queues: [{ name: 'conversations', concurrency: 1 }] } } },
    says: 'queue "conversations" is in consumers.default and in consumers.other',
  },
  { what: 'min above max', values: scaling({ minReplicas: 5 }), says: 'minReplicas 5 is above maxReplicas 4' },
  {
    what: 'fallback above max',
    values: scaling({ fallbackReplicas: 9 }),
    says: 'fallbackReplicas 9 is above maxReplicas 4',
  },
  { what: 'a short cooldown', values: scaling({ cooldownPeriod: 300 }), says: 'cooldownPeriod 300 must be above' },
  {
    what: 'min above max of the api',
    values: at('api.autoscaling', { enabled: true, minReplicas: 5 }),
    says: 'api.autoscaling: minReplicas 5 is above maxReplicas 4',
  },
  { what: 'too few connections', values: at('database.connectionBudget', 20), says: 'database.connectionBudget is 20' },
  { what: 'an Ingress without a host', values: at('api.ingress.enabled', true), says: 'api.ingress.hosts is empty' },
  {
    what: 'an open door to the world',
    values: merged(at('api.ingress', { enabled: true, hosts: ['a.example'] }), at('settings.NIGHTSHIFT_AUTH', false)),
    says: 'settings.NIGHTSHIFT_AUTH is off and api.ingress.enabled is true',
  },
]

describe.each(HELMS)('%s', (helm) => {
  test.each(WRONG)('the schema refuses $what', ({ values, says }) => {
    expect(refusal({ helm, values: merged(SERVERS, values) })).toMatch(says)
  })
})

test.each(UNFIT)('$what is refused with the fix', ({ values, says }) => {
  const said = refusal({ values: merged(SERVERS, values) })

  expect(said).toContain('these values do not fit together')
  expect(said).toContain(says)
})

test('all that does not fit is said at once', () => {
  expect(refusal({}).split('\n- ')).toHaveLength(4)
})
