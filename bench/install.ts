// Brings the peers: npm packages at pinned versions into .nightshift/bench, the others from Debian when run as root.
// Whatever cannot be had is skipped, with one line that says so.
import { execFile, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { PEERS_FOLDER } from './peers/peer.ts'
import type { SystemName } from './systems/names.ts'

export const NPM_PACKAGES: Readonly<Record<string, string>> = {
  bullmq: '6.7.0',
  // What BullMQ speaks to Redis with; it has to be installed beside it.
  ioredis: '6.0.0',
  'pg-boss': '12.35.0',
  'graphile-worker': '0.18.0',
}

const BULLMQ = ['bullmq', 'ioredis']
const NPM_NEEDED: Readonly<Partial<Record<SystemName, readonly string[]>>> = {
  'bullmq-always': BULLMQ,
  'bullmq-everysec': BULLMQ,
  'bullmq-postgres': BULLMQ,
  'pg-boss': ['pg-boss'],
  'graphile-worker': ['graphile-worker'],
}

interface Program {
  readonly command: string
  readonly packages: readonly string[]
}

const REDIS: Program = { command: 'redis-server', packages: ['redis-server'] }
const CELERY: Program = {
  command: 'celery',
  packages: ['celery', 'python3-redis', 'python3-sqlalchemy', 'python3-psycopg2', 'python3-flask', 'gunicorn'],
}
const PROGRAMS_NEEDED: Readonly<Partial<Record<SystemName, readonly Program[]>>> = {
  'bullmq-always': [REDIS],
  'bullmq-everysec': [REDIS],
  'celery-redis': [REDIS, CELERY],
  'celery-db': [CELERY],
}
const WRK: Program = { command: 'wrk', packages: ['wrk'] }

type Log = (line: string) => void

/** Installs what these systems need and returns those that can be measured. */
export async function bringPeers(systems: readonly SystemName[], log: Log): Promise<SystemName[]> {
  mkdirSync(PEERS_FOLDER, { recursive: true })
  if (!bring(WRK, log)) log('wrk is not here: load comes from Node, which takes more of the CPU')
  const npmNeeded = new Set(systems.flatMap((name) => NPM_NEEDED[name] ?? []))
  const npmFailure = await npmInstall(
    [...npmNeeded].filter((name) => installedVersion(name) !== NPM_PACKAGES[name]),
    log,
  )
  return systems.filter((name) => {
    const missing = (PROGRAMS_NEEDED[name] ?? []).find((program) => !bring(program, log))
    if (missing)
      log(`SKIPPED ${name}: there is no ${missing.command} here, and it can only be installed as root on Debian`)
    const lacks = npmFailure !== undefined && (NPM_NEEDED[name] ?? []).some((each) => !installedVersion(each))
    if (lacks) log(`SKIPPED ${name}: its packages could not be installed: ${npmFailure}`)
    return !missing && !lacks
  })
}

/** The version of a peer's package that is installed, or undefined. */
export function installedVersion(name: string): string | undefined {
  const file = join(PEERS_FOLDER, 'node_modules', name, 'package.json')
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version : undefined
}

async function npmInstall(names: readonly string[], log: Log): Promise<string | undefined> {
  if (names.length === 0) return undefined
  log(`installing ${names.join(', ')} into .nightshift/bench`)
  // A package.json of its own keeps npm from climbing to the one of the repository.
  const own = join(PEERS_FOLDER, 'package.json')
  if (!existsSync(own)) writeFileSync(own, '{ "private": true }\n')
  const wanted = names.map((name) => `${name}@${NPM_PACKAGES[name]}`)
  const args = ['install', '--prefix', PEERS_FOLDER, '--save-exact', '--no-audit', '--no-fund', '--loglevel=error']
  return promisify(execFile)('npm', [...args, ...wanted]).then(
    () => undefined,
    (error: Error) => error.message.split('\n').slice(0, 3).join(' '),
  )
}

/** Tells whether a program is there, installing it when that is simple. */
function bring({ command, packages }: Program, log: Log): boolean {
  if (isThere(command)) return true
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return false
  log(`installing ${packages.join(', ')} with apt-get, once`)
  const policy = '/usr/sbin/policy-rc.d'
  // Debian asks this script before a package starts a service; 101 means "not allowed".
  const isOurs = !existsSync(policy)
  if (isOurs) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  spawnSync('apt-get', ['-q', 'update'], { env })
  spawnSync('apt-get', ['-q', 'install', '-y', '--no-install-recommends', ...packages], { env })
  if (isOurs) spawnSync('rm', ['-f', policy])
  return isThere(command)
}

function isThere(command: string): boolean {
  return spawnSync('which', [command]).status === 0
}
