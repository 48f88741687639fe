#!/usr/bin/env node
/** The one program: a role that runs until it is told to stop, or a one-off command. */
import { Command, CommanderError } from 'commander'
import type { Define } from './commands/command.ts'
import type { Role } from './roles/run.ts'
import { COMMIT, VERSION } from './runtime/build-info.ts'
import { ConfigError, readConfig } from './runtime/config.ts'
import { startTracing, stopTracing } from './runtime/tracing.ts'

const ROLES: Readonly<Record<Role, string>> = {
  api: 'accept tasks over HTTP, publish them, find lost ones, answer what became of them',
  consumer: 'run tasks; start as many as there is work for',
  all: 'api and consumer in one process, for development',
}

const COMMANDS: readonly (() => Promise<{ define: Define }>)[] = [
  () => import('./commands/migrate.ts'),
  () => import('./commands/doctor.ts'),
  () => import('./commands/key.ts'),
  () => import('./commands/topology.ts'),
  () => import('./commands/dead-letters.ts'),
  () => import('./commands/redrive.ts'),
  () => import('./commands/why.ts'),
  () => import('./commands/bursts.ts'),
]

const COMMAND_GROUP = 'Commands (COMMAND --help has options and examples):'

/** Makes the program. A role loads no command: neither has what the other needs in memory. */
async function programOf(name: string | undefined): Promise<Command> {
  const nightshift = new Command('nightshift')
    .description('An asynchronous task platform on RabbitMQ and PostgreSQL.')
    .version(`nightshift ${VERSION} (commit ${COMMIT})`, '--version', 'print version and commit')
    .configureHelp({ showGlobalOptions: false })
    .addHelpText(
      'after',
      `
Settings come from the environment: DATABASE_URL, AMQP_URL and NIGHTSHIFT_...; docs/settings.md lists them.
Exit codes: 0 done, 1 failed or nothing found, 2 wrong arguments or settings.`,
    )
    .addHelpCommand(
      new Command('help').argument('[command]').description('show the help of a command').helpGroup(COMMAND_GROUP),
    )
    .showHelpAfterError('(--help lists what there is)')
    .exitOverride()
  nightshift.commandsGroup('Roles (run until SIGTERM or SIGINT):')
  for (const [role, says] of Object.entries(ROLES) as [Role, string][]) {
    nightshift
      .command(role)
      .description(says)
      .action(() => run(role))
  }
  if (name !== undefined && Object.hasOwn(ROLES, name)) return nightshift
  nightshift.commandsGroup(COMMAND_GROUP)
  for (const { define } of await Promise.all(COMMANDS.map((load) => load()))) define(nightshift)
  return nightshift
}

async function run(role: Role): Promise<void> {
  const config = readConfig(process.env)
  const { createLog, terminalStream } = await import('./runtime/log.ts')
  const log = createLog(config.logLevel, role, await terminalStream())
  // Before the role is loaded: what it imports could not be traced any more.
  await startTracing(role, log)
  try {
    const { runRole } = await import('./roles/run.ts')
    process.exitCode = await runRole(role, config, log)
  } finally {
    await stopTracing()
  }
}

/** Says what went wrong, once, and gives the exit code. Commander has printed its own errors by then. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  const told = error instanceof Error ? error.message || String(error) : String(error)
  process.stderr.write(`${told}\n`)
  return error instanceof ConfigError ? 2 : 1
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
  const program = await programOf(process.argv[2])
  if (process.argv.length === 2) program.outputHelp()
  else await program.parseAsync()
  process.exit()
} catch (error) {
  process.exit(exitCodeOf(error))
}
