// KEEP=1: the servers of `make up`, with the roles of the demo noted beside them, so that `make down` ends both.

import { execFile } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { promisify } from 'node:util'
import type { StartedProcess } from '../servers/servers.ts'
import { ROOT, type Role } from './platform.ts'

/** Where `make up` notes what it started. */
export const NOTE = join(ROOT, '.nightshift/servers.json')
const run = promisify(execFile)

export interface KeptServers {
  readonly databaseUrl: string
  readonly amqpUrl: string
}

/** Starts the servers of `make up`, or takes those that run already. */
export async function upServers(): Promise<KeptServers> {
  const { stdout } = await run(process.execPath, [join(ROOT, 'scripts/servers/main.ts'), 'up'], { cwd: ROOT })
  const urlOf = (name: string): string => {
    const value = new RegExp(`^${name}=(.+)$`, 'm').exec(stdout)?.[1]
    if (value === undefined) throw new Error(`make up did not say ${name}`)
    return value
  }
  return { databaseUrl: urlOf('DATABASE_URL'), amqpUrl: urlOf('AMQP_URL') }
}

/** Notes a process for `make down`, which ends it before the servers. */
export function noteForDown({ databaseUrl, amqpUrl }: KeptServers, { pid }: Role): void {
  const given = { kind: 'given', databaseUrl, amqpUrl, processes: [] }
  const note = existsSync(NOTE) ? JSON.parse(readFileSync(NOTE, 'utf8')) : given
  const ours: StartedProcess = { pid, mark: 'src/main.ts', stopSignal: 'SIGTERM' }
  writeFileSync(NOTE, `${JSON.stringify({ ...note, processes: [ours, ...note.processes] }, null, 2)}\n`)
}

export interface Kept {
  readonly origin: string
  readonly key: string
  readonly api: Role
  readonly consumers: readonly Role[]
  readonly servers: KeptServers
  /** A request id worth asking about. */
  readonly sample: string
}

/** Prints where everything is and how to end it. */
export function printKept({ origin, key, api, consumers, servers, sample }: Kept, print: (line: string) => void): void {
  print(`All is left running (KEEP=1):
  API        ${origin}/api/v1/tasks   its description ${origin}/docs
  metrics    ${[api, ...consumers].map(({ metricsPort }) => `http://127.0.0.1:${metricsPort}/metrics`).join('  ')}
  database   ${servers.databaseUrl}
  broker     ${servers.amqpUrl}
  logs       ${api.logFile.replace(/[^/]+$/, '')}

Try it:
  curl -H 'authorization: Bearer ${key}' '${origin}/api/v1/tasks?status=FAILED'
  DATABASE_URL='${servers.databaseUrl}' ${relative(process.cwd(), process.execPath)} src/main.ts why ${sample}

End it:
  make down`)
}
