/** Whether PostgreSQL keeps what it commits, has room for everybody, and has the schema that is needed. */
import type { PackSchema } from '../core/task-types.ts'
import type { Db } from '../store/db.ts'
import { missingMigrations, neededMigrations } from '../store/migrate.ts'
import { type ServerFacts, serverFacts } from '../store/reads/server-facts.ts'
import { apisAlive } from '../store/upkeep/api-processes.ts'
import { partitionsAhead } from '../store/upkeep/partitions.ts'
import { type Finding, notChecked, ok, problem, warning } from './finding.ts'

export interface PostgresPatient {
  readonly db: Db
  /** Of the packs: they must be migrated too. */
  readonly schemas: readonly PackSchema[]
  readonly maxReplicas: number | undefined
  /** The most connections that one process of a role opens. */
  readonly connectionsOf: { readonly api: number; readonly consumer: number }
}

const LEAST_VERSION = 150_000
/** The api makes them 8 days ahead, every minute. Fewer than this: it has not done so for some days. */
const FEW_DAYS = 5

export async function checkPostgres(patient: PostgresPatient): Promise<Finding[]> {
  const facts = await serverFacts(patient.db)
  const { versionNumber, version } = facts
  const isNew = versionNumber >= LEAST_VERSION
  return [
    ok('postgres', 'PostgreSQL answers'),
    (isNew ? ok : problem)('postgres-version', `PostgreSQL is version ${version}${isNew ? '' : ', before 15'}`),
    ...durabilityOf(facts),
    ...(await schemaOf(patient, facts)),
  ]
}

function durabilityOf({ fsync, fullPageWrites, synchronousCommit, hasStandbys }: ServerFacts): Finding[] {
  const found: Finding[] = []
  if (fsync !== 'on') found.push(problem('postgres-durability', `fsync is ${fsync}: a crash can lose everything`))
  if (fullPageWrites !== 'on') {
    found.push(
      problem('postgres-durability', `full_page_writes is ${fullPageWrites}: a crash can damage what is stored`),
    )
  }
  if (synchronousCommit === 'off') {
    found.push(problem('postgres-durability', 'synchronous_commit is off: a crash loses the newest commits'))
  } else if (hasStandbys && (synchronousCommit === 'local' || synchronousCommit === 'remote_write')) {
    found.push(
      warning(
        'postgres-durability',
        `synchronous_commit is ${synchronousCommit}: a failover to a synchronous standby can lose the newest commits`,
      ),
    )
  }
  if (found.length > 0) return found
  return [ok('postgres-durability', `commits are durable (synchronous_commit is ${synchronousCommit})`)]
}

async function schemaOf(patient: PostgresPatient, facts: ServerFacts): Promise<Finding[]> {
  const missing = await missingMigrations(patient.db, patient.schemas)
  if (missing.length > 0) {
    const fix = 'Run `nightshift migrate`, then the doctor again.'
    return [
      problem('migrations', `the schema is older than this version, which needs ${missing.join(', ')}`),
      notChecked('partitions', 'the schema is too old to be looked at', fix),
      notChecked('connections', 'the schema is too old to count the api processes', fix),
    ]
  }
  const days = await partitionsAhead(patient.db)
  const partitions = `the partitions reach ${days < 0 ? 'not even to today' : `${days} days ahead`}`
  const judge = days < 1 ? problem : days < FEW_DAYS ? warning : ok
  return [
    ok('migrations', `the schema has ${neededMigrations(patient.schemas).join(', ')}`),
    judge('partitions', partitions),
    connectionsOf(patient, facts, Math.max(1, await apisAlive(patient.db))),
  ]
}

function connectionsOf(patient: PostgresPatient, facts: ServerFacts, apis: number): Finding {
  const { maxReplicas, connectionsOf: each } = patient
  if (maxReplicas === undefined) {
    return notChecked(
      'connections',
      'how many consumers there may be is not known',
      'Set NIGHTSHIFT_MAX_REPLICAS to the most consumers of all pools together.',
    )
  }
  const needed = maxReplicas * each.consumer + apis * each.api
  const room = facts.connections - facts.othersConnections
  const sum =
    `${maxReplicas} consumers with ${each.consumer} and ${apis} api processes with ${each.api} connections need ${needed}, ` +
    `and there are ${room} (${facts.connections} for this role, ${facts.othersConnections} of them in use by others)`
  return (needed > room ? problem : ok)('connections', sum)
}
