// What was measured on, and with which versions: figures without them say nothing.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { join } from 'node:path'
import { ROOT } from '../scripts/demo/platform.ts'
import { programsOf } from '../scripts/servers/programs.ts'
import { installedVersion, NPM_PACKAGES } from './install.ts'

export interface Machine {
  readonly cores: number
  readonly cpu: string
  readonly memoryGiB: number
  /** One-minute load when the run began: above about 1, something else was running. */
  readonly loadAtBegin: number
  readonly versions: Readonly<Record<string, string>>
}

/** Looks at this machine. What is not installed has no version. */
export function describeMachine(): Machine {
  const own = (name: string): string =>
    (JSON.parse(readFileSync(join(ROOT, 'node_modules', name, 'package.json'), 'utf8')) as { version: string }).version
  const versions: Record<string, string | undefined> = {
    node: process.version,
    postgresql: said(join(programsOf('postgres'), 'postgres'), ['--version'])?.match(/[\d.]+/)?.[0],
    rabbitmq: debianVersion('rabbitmq-server'),
    redis: said('redis-server', ['--version'])?.match(/v=([\d.]+)/)?.[1],
    wrk: debianVersion('wrk'),
    celery: debianVersion('python3-celery'),
    express: own('express'),
    pg: own('pg'),
    amqplib: own('amqplib'),
    ...Object.fromEntries(Object.keys(NPM_PACKAGES).map((name) => [name, installedVersion(name)])),
  }
  return {
    cores: cpus().length,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    loadAtBegin: Number((loadavg()[0] ?? 0).toFixed(2)),
    versions: Object.fromEntries(
      Object.entries(versions).filter((entry): entry is [string, string] => entry[1] !== undefined),
    ),
  }
}

/** Which code is measured: the commit, with `-dirty` when src differs from it; `unknown` outside a git checkout. */
export function describeCode(): string {
  const commit = said('git', ['-C', ROOT, 'rev-parse', '--short', 'HEAD'])
  if (commit === undefined) return 'unknown'
  return said('git', ['-C', ROOT, 'status', '--porcelain', '--', 'src']) === '' ? commit : `${commit}-dirty`
}

function debianVersion(name: string): string | undefined {
  const shown = said('dpkg-query', ['--show', name])
  return shown?.split('\t')[1]?.replace(/^\d+:/, '')
}

function said(command: string, args: readonly string[]): string | undefined {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined
  }
}
