// Starts a private Prometheus on 127.0.0.1 that scrapes what it is told to, and asks it. For tests and for looking.
import { execFile } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { accepts, freePort } from './ports.ts'
import { type Log, programsOf } from './programs.ts'
import { startServerProcess } from './server-process.ts'

export interface ScrapeJob {
  readonly name: string
  /** `http://127.0.0.1:9090/metrics`, a query included. */
  readonly url: string
  readonly labels?: Readonly<Record<string, string>>
}

export interface PrometheusOptions {
  /** Where data, configuration and log live. */
  readonly folder: string
  readonly jobs: readonly ScrapeJob[]
  /** Files of recording and alerting rules. */
  readonly rules?: readonly string[]
  readonly log?: Log | undefined
}

export interface Series {
  readonly metric: Readonly<Record<string, string>>
  /** Seconds since 1970 and the value as text: one pair for a moment, many for a range. */
  readonly value?: readonly [number, string]
  readonly values?: readonly (readonly [number, string])[]
}

export interface Prometheus {
  readonly url: string
  /** Asks the HTTP API and gives `data` of the answer. Rejects with Prometheus's own words when it refuses. */
  api<Data>(path: string, parameters?: Readonly<Record<string, string>>): Promise<Data>
  /** Evaluates an expression now. */
  query(expression: string): Promise<Series[]>
  remove(): Promise<void>
}

/** Starts Prometheus, scraping every second, and resolves when it answers. */
export async function startPrometheus(options: PrometheusOptions): Promise<Prometheus> {
  const programs = programsOf('prometheus', options.log)
  const folder = resolve(options.folder)
  const port = await freePort()
  mkdirSync(folder, { recursive: true })
  const configuration = join(folder, 'prometheus.json')
  // Its configuration is YAML, of which JSON is a part.
  writeFileSync(configuration, JSON.stringify(configurationOf(options)))
  const server = await startServerProcess({
    name: 'Prometheus',
    command: join(programs, 'prometheus'),
    args: [
      `--config.file=${configuration}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--enable-feature=exemplar-storage',
    ],
    env: { PATH: process.env.PATH ?? '' },
    cwd: folder,
    logFile: join(folder, 'prometheus.log'),
    lastSignal: 'SIGKILL',
  })
  const url = `http://127.0.0.1:${port}`
  await server.ready(async () => (await accepts(port)) && (await fetch(`${url}/-/ready`)).ok)

  async function api<Data>(path: string, parameters: Readonly<Record<string, string>> = {}): Promise<Data> {
    const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`)
    const answer = (await response.json()) as { status: string; data: Data; error?: string }
    if (answer.status !== 'success') throw new Error(`${answer.error}: ${JSON.stringify(parameters)}`)
    return answer.data
  }

  return {
    url,
    api,
    query: async (query) => (await api<{ result: Series[] }>('query', { query })).result,
    async remove() {
      await server.end('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Runs promtool and gives what it printed. Rejects with that when it finds fault. */
export async function promtool(args: readonly string[], input = ''): Promise<string> {
  const running = promisify(execFile)(join(programsOf('prometheus'), 'promtool'), [...args])
  running.child.stdin?.end(input)
  try {
    const { stdout, stderr } = await running
    return stdout + stderr
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    throw new Error(`promtool ${args.join(' ')}:\n${stdout}${stderr}`, { cause: error })
  }
}

function configurationOf({ jobs, rules = [] }: PrometheusOptions): object {
  return {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: rules.map((path) => resolve(path)),
    scrape_configs: jobs.map(({ name, url, labels = {} }) => {
      const { host, pathname, searchParams } = new URL(url)
      const params = Object.fromEntries([...searchParams.keys()].map((key) => [key, searchParams.getAll(key)]))
      return {
        job_name: name,
        metrics_path: pathname,
        params,
        honor_labels: true,
        static_configs: [{ targets: [host], labels }],
      }
    }),
  }
}
