/** The program as an operator sees it: roles, commands, help. Making it reads no setting and connects to nothing. */
import { Command } from 'commander'
import type { Role } from '../roles/run.ts'
import { COMMIT, VERSION } from '../runtime/build-info.ts'
import { complain, linesOf, say } from '../runtime/terminal.ts'
import type { Define } from './command.ts'

const ROLES: Readonly<Record<Role, string>> = {
  api: 'accept tasks over HTTP, publish them, find lost ones, answer what became of them',
  consumer: 'run tasks; start as many as there is work for',
  all: 'api and consumer in one process, for development',
}

const COMMANDS: readonly (() => Promise<{ define: Define }>)[] = [
  () => import('./migrate.ts'),
  () => import('./doctor.ts'),
  () => import('./key.ts'),
  () => import('./topology.ts'),
  () => import('./dead-letters.ts'),
  () => import('./redrive.ts'),
  () => import('./why.ts'),
  () => import('./bursts.ts'),
]

/** Commander ends each of its texts with a line end. */
const wholeLines = (text: string): string[] => linesOf(text.replace(/\n$/, ''))

const COMMAND_GROUP = 'Commands (COMMAND --help has options and examples):'

/**
 * Makes the program. When the first word names a role no command is loaded: neither has what the other needs in memory.
 * @param run what a role does
 */
export async function createProgram(name: string | undefined, run: (role: Role) => Promise<void>): Promise<Command> {
  const nightshift = new Command('nightshift')
    .description('An asynchronous task platform on RabbitMQ and PostgreSQL.')
    .version(`nightshift ${VERSION} (commit ${COMMIT})`, '--version', 'print version and commit')
    .configureHelp({ showGlobalOptions: false })
    // Commander quotes what was typed, which may have come from elsewhere.
    .configureOutput({
      writeOut: (text) => say(...wholeLines(text)),
      writeErr: (text) => complain(...wholeLines(text)),
    })
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
