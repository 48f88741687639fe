/** `nightshift doctor`: finds what would lose work in silence. */
import { createManagement } from '../broker/management.ts'
import { topologyOf } from '../broker/topology.ts'
import { examine } from '../doctor/doctor.ts'
import { countLevels, type Finding, type Level } from '../doctor/finding.ts'
import { connectionsOf } from '../roles/connections.ts'
import { queuesOf, rungsOf } from '../roles/rungs.ts'
import { readConfig } from '../runtime/config.ts'
import { silentLog } from '../runtime/log.ts'
import { openDb } from '../store/db.ts'
import { contractsFor } from '../types/contracts.ts'
import { type Command, readArguments, say } from './command.ts'

const NEEDED = [
  'databaseUrl',
  'amqpUrl',
  'managementUrl',
  'queues',
  'retryLadderMs',
  'trialTasks',
  'dbPool',
  'drainGraceSeconds',
  'maxReplicas',
] as const

const WORDS: Readonly<Record<Level, string>> = {
  problem: 'PROBLEM',
  warning: 'warning',
  not_checked: 'not checked',
  ok: 'ok',
}

export const command: Command = {
  summary: 'find what would lose work in silence, and how to mend it',
  usage: `nightshift doctor [--json]

Looks at PostgreSQL, RabbitMQ, the schema, the settings and the consumers, and says of each finding what it is, why it
matters and how to mend it. It changes nothing. docs/doctor.md lists the checks.
  --json    one JSON object: {"healthy", "counts", "findings": [{"check", "level", "what", "why", "fix"}]}

Ends with 0 when there is no problem (there may be warnings), with 1 when there is one, with 2 when the settings are wrong.
It reads the settings of the consumers: NIGHTSHIFT_QUEUES, NIGHTSHIFT_DRAIN_GRACE_SECONDS, … must be theirs.`,
  async run(words) {
    const { values } = readArguments(words, { json: { type: 'boolean' } })
    const config = readConfig(process.env, NEEDED)
    const contracts = contractsFor(config.trialTasks === 'on')
    const db = openDb({ url: config.databaseUrl, poolSize: 2, name: 'doctor', log: silentLog })
    try {
      const findings = await examine({
        db,
        amqpUrl: config.amqpUrl,
        management:
          config.managementUrl === undefined ? undefined : createManagement(config.managementUrl, config.amqpUrl),
        topology: topologyOf(queuesOf(contracts, config.queues), rungsOf(contracts, config.retryLadderMs)),
        contracts,
        worked: [...config.queues.keys()],
        drainGraceSeconds: config.drainGraceSeconds,
        maxReplicas: config.maxReplicas,
        connectionsOf: connectionsOf(config.dbPool),
      })
      const counts = countLevels(findings)
      if (values.json) say(JSON.stringify({ healthy: counts.problem === 0, counts, findings }, undefined, 2))
      else print(findings)
      return counts.problem === 0 ? 0 : 1
    } finally {
      await db.close()
    }
  },
}

function print(findings: readonly Finding[]): void {
  for (const { check, level, what, why, fix } of findings) {
    say(`${WORDS[level].padEnd(12)}${check.padEnd(21)}${what}`)
    if (why !== undefined) say(`${' '.repeat(12)}why  ${why}`)
    if (fix !== undefined) say(`${' '.repeat(12)}fix  ${fix}`)
  }
  const counts = countLevels(findings)
  say(`\n${counts.problem} problems, ${counts.warning} warnings, ${counts.not_checked} not checked, ${counts.ok} ok`)
}
