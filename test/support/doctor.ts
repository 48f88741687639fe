// Puts a patient before the doctor as the command does: topology and contracts of this version, with its trial tasks.
import { createManagement } from '../../src/broker/management.ts'
import { topologyOf } from '../../src/broker/topology.ts'
import { examine, type Patient } from '../../src/doctor/doctor.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { openDb } from '../../src/store/db.ts'
import { PACKS } from './packs.ts'

export interface PatientOptions {
  readonly databaseUrl: string
  readonly amqpUrl: string
  readonly managementUrl?: string
  readonly queues: readonly string[]
  readonly graceSeconds?: number
  readonly maxReplicas?: number
}

/** Has everything examined, once. */
export async function findingsOf(options: PatientOptions): Promise<Finding[]> {
  const { databaseUrl, amqpUrl, managementUrl, queues, graceSeconds = 300, maxReplicas } = options
  const db = openDb({ url: databaseUrl, poolSize: 2, name: 'doctor', log: silentLog })
  const patient: Patient = {
    db,
    amqpUrl,
    management: managementUrl === undefined ? undefined : createManagement(managementUrl, amqpUrl),
    topology: topologyOf(queues, [1_000]),
    schemas: PACKS.schemas,
    contracts: PACKS.contracts,
    worked: queues,
    drainGraceSeconds: graceSeconds,
    maxReplicas,
    connectionsOf: { api: 7, consumer: 9 },
  }
  try {
    return await examine(patient)
  } finally {
    await db.close()
  }
}

/** What was said by findings of one check and level. */
export function said(findings: readonly Finding[], check: string, level = 'problem'): string[] {
  return findings.filter((finding) => finding.check === check && finding.level === level).map(({ what }) => what)
}
