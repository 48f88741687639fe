/** The whole examination: each group of checks in its turn, and none of them keeps another from being done. */
import type { Db } from '../store/db.ts'
import { type BrokerPatient, checkBroker } from './broker.ts'
import { judgeClock, readDatabaseClock } from './clock.ts'
import { type Finding, LEVELS, notChecked, problem } from './finding.ts'
import { checkPostgres, type PostgresPatient } from './postgres.ts'
import { checkConsumers, checkGracePeriod } from './work.ts'

export interface Patient extends BrokerPatient, PostgresPatient {
  readonly drainGraceSeconds: number
}

/** Does every check; takes up to some 25 s and never throws. The worst findings come first. */
export async function examine(patient: Patient): Promise<Finding[]> {
  const { contracts, worked, drainGraceSeconds } = patient
  const [database, broker] = await Promise.all([examineDatabase(patient), examineBroker(patient)])
  const grace = checkGracePeriod(contracts, new Set(worked), drainGraceSeconds)
  return sorted([...database, ...broker, grace])
}

/** Does the checks that need the database alone, some milliseconds' work, and never throws. The worst come first. */
export async function examineDatabase(patient: PostgresPatient): Promise<Finding[]> {
  const { db } = patient
  try {
    const clock = judgeClock('PostgreSQL', await readDatabaseClock(db))
    return sorted([...(await checkPostgres(patient)), clock, ...(await consumersOf(db))])
  } catch (error) {
    return [problem('postgres', `PostgreSQL does not answer: ${reasonOf(error)}`)]
  }
}

/** The tables that tell of it are missing in a database that was never migrated. */
async function consumersOf(db: Db): Promise<Finding[]> {
  try {
    return await checkConsumers(db)
  } catch (error) {
    if ((error as { code?: string }).code !== '42P01') throw error
    return [notChecked('consumers', 'the tables are missing', 'Run `nightshift migrate`, then look again.')]
  }
}

async function examineBroker(patient: Patient): Promise<Finding[]> {
  try {
    return await checkBroker(patient)
  } catch (error) {
    return [problem('broker', `RabbitMQ does not answer: ${reasonOf(error)}`)]
  }
}

function reasonOf(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string }
  return message || code || String(error)
}

function sorted(findings: readonly Finding[]): Finding[] {
  return findings.toSorted((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level))
}
