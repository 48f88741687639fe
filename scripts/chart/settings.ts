// Which settings the values of the chart may name under `settings`: all but those that follow from other values.
import { SETTINGS } from '../../src/runtime/settings.ts'

/** What the chart sets itself, with the value that it follows from. */
export const OWNED: Readonly<Record<string, string>> = {
  DATABASE_URL: 'database',
  AMQP_URL: 'broker',
  NIGHTSHIFT_HTTP_PORT: 'api.service',
  NIGHTSHIFT_METRICS_PORT: 'api.service',
  NIGHTSHIFT_PACKS: 'packs',
  NIGHTSHIFT_QUEUES: 'consumers.*.queues',
  NIGHTSHIFT_DB_POOL: 'api.dbPool and consumerDefaults.dbPool',
  NIGHTSHIFT_DRAIN_GRACE_SECONDS: 'consumerDefaults.longestTaskSeconds',
  NIGHTSHIFT_CONSUMER_NAME: 'the name of the pod',
  NIGHTSHIFT_MANAGEMENT_URL: 'broker.management',
  NIGHTSHIFT_MAX_REPLICAS: 'consumers.*.autoscaling.maxReplicas',
  NIGHTSHIFT_POD_DELETION_COST: 'api.podDeletionCost',
  NIGHTSHIFT_POD_NAMESPACE: 'the namespace of the pod',
}

interface Setting {
  readonly name: string
  readonly bounds: string
  readonly says: string
  readonly secret?: true
}

/** Makes the schema of each setting that may be named. A secret is none of them: it comes from a Secret, as extraEnv. */
export function settingProperties(): Record<string, object> {
  const free = Object.values<Setting>(SETTINGS).filter(({ name, secret }) => !secret && !(name in OWNED))
  return Object.fromEntries(free.map((setting) => [setting.name, propertyOf(setting)]))
}

function propertyOf({ bounds, says }: Setting): object {
  const description = `${says} Allowed: ${bounds}.`
  if (/^-?\d+-\d+/.test(bounds)) return { type: 'integer', description }
  // YAML reads a bare `off` as false.
  if (bounds === 'on, off') return { enum: ['on', 'off', true, false], description }
  const words = bounds.split(', ')
  if (words.length > 1 && words.every((word) => /^[a-z]+(?:-[a-z]+)*$/.test(word))) return { enum: words, description }
  return { type: 'string', description }
}
