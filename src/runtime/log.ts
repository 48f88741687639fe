/**
 * One JSON line per fact. Payloads and secrets are never logged; ids are fields, the message is a constant phrase.
 * A line about a task has `request_id`, `task_id`, `attempt`, `trace_id` and `client`, as far as they are known there.
 */
import { type DestinationStream, type Logger, pino } from 'pino'
import { visible } from '../core/visible.ts'

export type Log = Logger

/** Makes the process's logger; lines go to standard output unless told otherwise, times are ISO 8601 in UTC. */
export function createLog(level: string, role: string, stream?: DestinationStream): Log {
  const options = {
    level,
    base: { role },
    messageKey: 'msg',
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { error: toldOf },
  }
  return pino(options, visibly(stream ?? pino.destination(1)))
}

/**
 * Lines are read in terminals too, by programs that undo the escapes of JSON, and what they quote may be anybody's: so
 * the escapes stand in the texts themselves. Most lines have nothing to escape and are not looked into.
 */
function visibly(stream: DestinationStream): DestinationStream {
  return {
    write: (line) => stream.write(UNSEEN.test(line) ? `${JSON.stringify(JSON.parse(line, shown))}\n` : line),
  }
}

const UNSEEN = /\\(?:[bfnr]|u00[01])|[\u007f-\u009f\p{Cf}\p{Zl}\p{Zp}]/u

/** A stack keeps its lines. */
function shown(key: string, value: unknown): unknown {
  if (typeof value !== 'string') return value
  return key === 'stack' ? value.split('\n').map(visible).join('\n') : visible(value)
}

/** For commands, whose answer is their output: what fails there is thrown. */
export const silentLog: Log = pino({ level: 'silent' })

/** In a terminal lines are made readable, if pino-pretty is installed, as it is for development; else undefined. */
export async function terminalStream(): Promise<DestinationStream | undefined> {
  if (!process.stdout.isTTY) return undefined
  try {
    const { default: pretty } = await import('pino-pretty')
    return pretty({ singleLine: true, messageKey: 'msg', ignore: 'pid,hostname', sync: true })
  } catch {
    return undefined
  }
}

/**
 * What is told of an error. An error of PostgreSQL also carries the row or the parameter that it did not like
 * (`detail`, `where`, …), and so the payload: these stay out.
 */
function toldOf(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const { name, message, stack, cause } = error
  const code: unknown = Reflect.get(error, 'code')
  return {
    name,
    message,
    ...(code === undefined ? {} : { code }),
    stack,
    ...(cause === undefined ? {} : { cause: toldOf(cause) }),
  }
}
