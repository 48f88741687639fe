/** `nightshift doctor`: finds what would lose work in silence. */
import { createManagement } from '../broker/management.ts'
import { topologyOf } from '../broker/topology.ts'
import { examine } from '../doctor/doctor.ts'
import { countLevels, type Finding, type Level } from '../doctor/finding.ts'
import { connectionsOf } from '../roles/connections.ts'
import { queuesOf, rungsOf, slotsOf } from '../roles/rungs.ts'
import { readConfig } from '../runtime/config.ts'
import { say, sayJson } from '../runtime/terminal.ts'
import { loadPacks } from '../types/packs.ts'
import { asJson, type Define, withDatabase } from './command.ts'

const NEEDED = [
  'databaseUrl',
  'amqpUrl',
  'managementUrl',
  'queues',
  'retryLadderMs',
  'packs',
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

export const define: Define = (nightshift) => {
  nightshift
    .command('doctor')
    .summary('find what would lose work silently, and how to fix it')
    .description(
      'Looks at PostgreSQL, RabbitMQ, the schema, the settings and the consumers. Says of each finding what it is, why it\n' +
        'matters and how to fix it. Changes nothing. docs/doctor.md lists the checks.',
    )
    .addOption(asJson())
    .addHelpText(
      'after',
      `
Exit codes: 0 no problem (there may be warnings), 1 a problem, 2 wrong settings.
It reads the settings of the consumers: NIGHTSHIFT_QUEUES, NIGHTSHIFT_DRAIN_GRACE_SECONDS and so on must be theirs.`,
    )
    .action(async ({ json }: { json?: true }) => {
      const findings = await examination()
      const counts = countLevels(findings)
      if (json) sayJson({ healthy: counts.problem === 0, counts, findings })
      else print(findings)
      process.exitCode = counts.problem === 0 ? 0 : 1
    })
}

async function examination(): Promise<readonly Finding[]> {
  const config = readConfig(process.env, NEEDED)
  const { contracts, schemas } = await loadPacks(config.packs)
  const slots = slotsOf(contracts, config.queues)
  const { amqpUrl, managementUrl } = config
  return withDatabase({ name: 'doctor', poolSize: 2 }, (db) =>
    examine({
      db,
      schemas,
      amqpUrl,
      management: managementUrl === undefined ? undefined : createManagement(managementUrl, amqpUrl),
      topology: topologyOf(queuesOf(contracts, slots), rungsOf(contracts, config.retryLadderMs)),
      contracts,
      worked: [...slots.keys()],
      drainGraceSeconds: config.drainGraceSeconds,
      maxReplicas: config.maxReplicas,
      connectionsOf: connectionsOf(config.dbPool),
    }),
  )
}

function print(findings: readonly Finding[]): void {
  for (const { check, level, what, why, fix } of findings) {
    say(`${WORDS[level].padEnd(12)}${check.padEnd(21)}${what}`)
    if (why !== undefined) say(`${' '.repeat(12)}why  ${why}`)
    if (fix !== undefined) say(`${' '.repeat(12)}fix  ${fix}`)
  }
  const counts = countLevels(findings)
  say('', `${counts.problem} problems, ${counts.warning} warnings, ${counts.not_checked} not checked, ${counts.ok} ok`)
}
