#!/usr/bin/env node
/** The one program: a role that runs until it is told to stop, or a command that does one thing. */
import type { Command } from './commands/command.ts'
import { UsageError } from './commands/command.ts'
import type { Role } from './roles/run.ts'
import { COMMIT, VERSION } from './runtime/build-info.ts'
import { ConfigError, readConfig } from './runtime/config.ts'
import { startTracing, stopTracing } from './runtime/tracing.ts'

const ROLES: Readonly<Record<Role, string>> = {
  api: 'accept tasks over HTTP, publish them, audit, answer what became of them',
  consumer: 'run tasks; start as many of them as there is work for',
  all: 'api and consumer in one process, for development',
}

const COMMANDS: Readonly<Record<string, () => Promise<{ command: Command }>>> = {
  migrate: () => import('./commands/migrate.ts'),
  doctor: () => import('./commands/doctor.ts'),
  key: () => import('./commands/key.ts'),
  topology: () => import('./commands/topology.ts'),
  'dead-letters': () => import('./commands/dead-letters.ts'),
  redrive: () => import('./commands/redrive.ts'),
  why: () => import('./commands/why.ts'),
  bursts: () => import('./commands/bursts.ts'),
}

async function help(): Promise<string> {
  const lines = Object.entries(ROLES).map(([name, summary]) => `  ${name.padEnd(14)}${summary}`)
  const commands = await Promise.all(
    Object.entries(COMMANDS).map(async ([name, load]) => `  ${name.padEnd(14)}${(await load()).command.summary}`),
  )
  return `nightshift ${VERSION}: an asynchronous task platform on RabbitMQ and PostgreSQL

nightshift ROLE        runs until SIGTERM or SIGINT
${lines.join('\n')}

nightshift COMMAND     does one thing; --help tells how
${commands.join('\n')}

Settings come from the environment: DATABASE_URL, AMQP_URL and NIGHTSHIFT_…; docs/settings.md lists them.`
}

async function main([name, ...words]: readonly string[]): Promise<number> {
  if (name === '--version') return print(`nightshift ${VERSION} (commit ${COMMIT})`)
  if (name === undefined || name === '--help' || name === 'help') return print(await help())
  if (Object.hasOwn(ROLES, name)) {
    if (words.includes('--help')) return print(await help())
    if (words.length > 0) throw new UsageError(`${name} takes no arguments: its settings come from the environment`)
    return run(name as Role)
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (!load) throw new UsageError(`"${name}" is neither a role nor a command: see nightshift --help`)
  const { command } = await load()
  return words.includes('--help') ? print(command.usage) : command.run(words)
}

async function run(role: Role): Promise<number> {
  const config = readConfig(process.env)
  const { createLog, terminalStream } = await import('./runtime/log.ts')
  const log = createLog(config.logLevel, role, await terminalStream())
  // Before the role is loaded: what it imports could not be traced any more.
  await startTracing(role, log)
  try {
    const { runRole } = await import('./roles/run.ts')
    return await runRole(role, config, log)
  } finally {
    await stopTracing()
  }
}

function print(text: string): number {
  process.stdout.write(`${text}\n`)
  return 0
}

function explain(error: unknown): string {
  if (error instanceof ConfigError || error instanceof UsageError) return error.message
  return error instanceof Error ? `${error.message}${error.message ? '' : String(error)}` : String(error)
}

/**
 * As process 1 of a container this would survive SIGTERM while it loads, or runs a command: the kernel gives process 1 no
 * default action (pid_namespaces(7)). A role that listens for the signal itself is left alone.
 */
function endOnSignals(): void {
  for (const [signal, number] of [['SIGINT', 2] as const, ['SIGTERM', 15] as const]) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(128 + number)
    })
  }
}

if (process.pid === 1) endOnSignals()
try {
  process.exit(await main(process.argv.slice(2)))
} catch (error) {
  process.stderr.write(`${explain(error)}\n`)
  process.exit(error instanceof ConfigError || error instanceof UsageError ? 2 : 1)
}
