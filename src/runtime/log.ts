/** One JSON line per fact. Payloads and secrets are never logged; ids are fields, the message is a constant phrase. */
import { type Logger, pino } from 'pino'

export type Log = Logger

/** Makes the process's logger; lines go to standard output, times are ISO 8601 in UTC. */
export function createLog(level: string, role: string): Log {
  return pino({
    level,
    base: { role },
    messageKey: 'msg',
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { error: pino.stdSerializers.err },
  })
}

/** For commands, whose answer is their output: what fails there is thrown. */
export const silentLog: Log = pino({ level: 'silent' })
