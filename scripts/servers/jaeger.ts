// Starts a private Jaeger on 127.0.0.1, with its traces in memory, and asks it. For tests and for looking.
// No package has it, so it is built from its Go module, once, into .nightshift/jaeger.
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { GO_MODULES, go, goModule } from '../go.ts'
import { accepts, freePorts } from './ports.ts'
import type { Log } from './programs.ts'
import { startServerProcess } from './server-process.ts'

const MODULE = 'github.com/jaegertracing/jaeger'
const PROGRAMS = fileURLToPath(new URL('../../.nightshift/jaeger', import.meta.url))
/** All that it listens on. We ask the first three; the rest it would open on well-known ports of every address. */
const LISTENERS = [
  'admin.http',
  'collector.otlp.http',
  'query.http-server',
  'collector.http-server',
  'collector.grpc-server',
  'collector.otlp.grpc',
  'query.grpc-server',
] as const

export interface JaegerOptions {
  /** Where the log lives. */
  readonly folder: string
  readonly log?: Log | undefined
}

/** A trace as Jaeger's HTTP API has it, as far as we look into it. */
export interface JaegerTrace {
  readonly traceID: string
  readonly spans: readonly JaegerSpan[]
}

export interface JaegerSpan {
  readonly traceID: string
  readonly spanID: string
  readonly operationName: string
  /** The parent is `CHILD_OF`, a link `FOLLOWS_FROM`. */
  readonly references: readonly { readonly refType: string; readonly traceID: string; readonly spanID: string }[]
  readonly tags: readonly { readonly key: string; readonly value: unknown }[]
}

export interface Jaeger {
  /** Where its pages and its HTTP API are. */
  readonly url: string
  /** Where it takes spans, by OTLP over HTTP. */
  readonly otlpUrl: string
  /** Finds a trace by its id; undefined when there is none. */
  trace(id: string): Promise<JaegerTrace | undefined>
  /** Finds the traces that have a span of the service with these tags, in no order. */
  find(service: string, tags: Readonly<Record<string, string>>): Promise<JaegerTrace[]>
  remove(): Promise<void>
}

/** Starts Jaeger, building it first if need be, and resolves when it answers. */
export async function startJaeger(options: JaegerOptions): Promise<Jaeger> {
  const command = await program(options.log)
  const folder = resolve(options.folder)
  const ports = await freePorts(LISTENERS.length)
  const [admin, otlp, query] = ports as [number, number, number]
  mkdirSync(folder, { recursive: true })
  const server = await startServerProcess({
    name: 'Jaeger',
    command,
    args: LISTENERS.map((name, n) => `--${name}.host-port=127.0.0.1:${ports[n]}`),
    env: { PATH: process.env.PATH ?? '', SPAN_STORAGE_TYPE: 'memory' },
    cwd: folder,
    logFile: join(folder, 'jaeger.log'),
    lastSignal: 'SIGKILL',
  })
  const url = `http://127.0.0.1:${query}`
  await server.ready(async () => (await accepts(admin)) && (await fetch(`http://127.0.0.1:${admin}/`)).ok)

  async function ask(path: string): Promise<JaegerTrace[]> {
    const response = await fetch(`${url}/api/${path}`)
    // An id that is not there is answered with 404; a search that finds nothing with 200.
    if (response.status === 404) return []
    if (!response.ok) throw new Error(`Jaeger answered ${response.status} to ${path}: ${await response.text()}`)
    return ((await response.json()) as { data: JaegerTrace[] | null }).data ?? []
  }

  return {
    url,
    otlpUrl: `http://127.0.0.1:${otlp}`,
    trace: async (id) => (await ask(`traces/${id}`))[0],
    find: (service, tags) => ask(`traces?${new URLSearchParams({ service, tags: JSON.stringify(tags) })}`),
    async remove() {
      await server.end('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Returns the path of the program, built on the first call. Two processes that build at once build twice: either is good. */
async function program(log: Log = () => {}): Promise<string> {
  const [version] = GO_MODULES[MODULE]
  const built = join(PROGRAMS, `all-in-one-${version}`)
  if (existsSync(built)) return built
  log(`building Jaeger ${version} from its Go module, once: minutes`)
  mkdirSync(PROGRAMS, { recursive: true })
  const draft = `${built}.${randomBytes(4).toString('hex')}`
  try {
    // In the module's own folder, not by `go install`, which refuses a module that replaces another.
    const env = { ...process.env, GOFLAGS: '-mod=readonly', GOTOOLCHAIN: 'local' }
    await promisify(execFile)(go(), ['build', '-o', draft, './cmd/all-in-one'], { cwd: goModule(MODULE), env })
    renameSync(draft, built)
  } finally {
    rmSync(draft, { force: true })
  }
  return built
}
