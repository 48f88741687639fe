#!/usr/bin/env node
/** The one program: a role that runs until it is told to stop, or a one-off command. */
import { CommanderError } from 'commander'
import { createProgram } from './commands/program.ts'
import type { Role } from './roles/run.ts'
import { ConfigError, readConfig } from './runtime/config.ts'
import { complain, linesOf } from './runtime/terminal.ts'
import { startTracing, stopTracing } from './runtime/tracing.ts'

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
  complain(...linesOf(told))
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
  const program = await createProgram(process.argv[2], run)
  if (process.argv.length === 2) program.outputHelp()
  else await program.parseAsync()
  process.exit()
} catch (error) {
  process.exit(exitCodeOf(error))
}
