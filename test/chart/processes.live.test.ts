// Promise: what the chart gives to its containers starts the real processes: an api that waits for the migration, a
// consumer, and the test that `helm test` runs, from sending a task to the counts of RabbitMQ.

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { imagePacks } from '../../scripts/images/dockerfile.ts'
import { aVhost, type Vhost } from '../support/broker.ts'
import { anEmptyDatabase, type Database } from '../support/database.ts'
import { leftovers, type RunningProcess, startProcess } from '../support/processes.ts'
import { shared } from '../support/servers.ts'
import { until } from '../support/until.ts'
import { type Container, type EnvVar, one, podSpecs, render } from './chart.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

const manifests = render({ file: 'values-staging.yaml' })
let database: Database
let vhost: Vhost
let api: RunningProcess
let consumer: RunningProcess
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nightshift-chart-live-'))
  database = await anEmptyDatabase()
  vhost = await aVhost()
})

afterAll(async () => {
  for (const each of [consumer, api]) each?.kill()
  await Promise.all([consumer, api].map((each) => each?.exit))
  const left = await leftovers()
  await vhost?.drop()
  await database?.drop()
  rmSync(folder, { recursive: true, force: true })
  expect(left).toEqual([])
}, 60_000)

function containerOf(command: string): Container {
  const found = podSpecs(manifests).flatMap(({ containers }) => containers.filter(({ args }) => args?.[0] === command))
  if (found.length !== 1) throw new Error(`${found.length} containers run ${command}`)
  return found[0] as Container
}

/** Plays the kubelet on the image: fills in Secrets and fields. Ports are free ones, because all of it runs on one machine. */
function environmentOf({ env = [] }: Container, more: Record<string, string> = {}): Record<string, string> {
  const management = new URL(shared().managementUrl)
  const secrets: Readonly<Record<string, string>> = {
    'nightshift-database/url': database.url,
    'nightshift-broker/url': vhost.url,
    'nightshift-broker/username': decodeURIComponent(management.username),
    'nightshift-broker/password': decodeURIComponent(management.password),
  }
  const textOf = ({ name, value, valueFrom }: EnvVar): string => {
    const { secretKeyRef, fieldRef } = valueFrom ?? {}
    const text = secretKeyRef ? secrets[`${secretKeyRef.name}/${secretKeyRef.key}`] : fieldRef ? 'demo-pod' : value
    if (text === undefined) throw new Error(`nothing gives a value to ${name}`)
    return text
  }
  const rendered = Object.fromEntries(env.map((each) => [each.name, textOf(each)]))
  const ports = 'NIGHTSHIFT_HTTP_PORT' in rendered ? { NIGHTSHIFT_HTTP_PORT: '0', NIGHTSHIFT_METRICS_PORT: '0' } : {}
  // The management API is elsewhere than in the cluster of the values.
  const there = 'NIGHTSHIFT_MANAGEMENT_URL' in rendered ? { NIGHTSHIFT_MANAGEMENT_URL: management.href } : {}
  return { NIGHTSHIFT_PACKS: imagePacks(), ...rendered, ...ports, ...there, ...more }
}

/** Asks a probe of a container as the kubelet would. */
async function probe(container: Container, which: string, running: RunningProcess): Promise<Response> {
  const { httpPort, metricsPort } = await running.ready
  const { path, port } = container[which].httpGet
  return fetch(`http://127.0.0.1:${port === 'http' ? httpPort : metricsPort}${path}`)
}

async function nightshift(command: string): Promise<string> {
  const env = { PATH: process.env.PATH, ...environmentOf(containerOf(command)) }
  return (await run(process.execPath, ['src/main.ts', command], { cwd: ROOT, env })).stdout
}

test('api and consumer start on an empty database, live and not ready', async () => {
  api = startProcess('api', environmentOf(containerOf('api')))
  consumer = startProcess('consumer', environmentOf(containerOf('consumer')))

  expect((await probe(containerOf('api'), 'livenessProbe', api)).status).toBe(200)
  const ready = await probe(containerOf('api'), 'readinessProbe', api)
  expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining('lacks migrations')])
})

test('after the migration both become ready by themselves', async () => {
  expect(await nightshift('migrate')).toContain('the schema is at')

  for (const [name, running] of [
    ['api', api],
    ['consumer', consumer],
  ] as const) {
    const isReady = async () => (await probe(containerOf(name), 'readinessProbe', running)).status === 200
    expect(await until(`${name} is ready`, isReady)).toBe(true)
    expect((await probe(containerOf(name), 'livenessProbe', running)).status).toBe(200)
  }
})

test('the scaler that the ScaledObject names gets a figure from the api', async () => {
  const { triggers } = one(manifests, 'ScaledObject').spec
  const { metadata } = triggers.find(({ type }: { type: string }) => type === 'metrics-api')
  const { pathname, search } = new URL(metadata.url)
  const { metricsPort } = await api.ready
  const figure = async () => {
    const answer = await fetch(`http://127.0.0.1:${metricsPort}${pathname}${search}`)
    return answer.status === 200 && ((await answer.json()) as Record<string, unknown>)
  }

  expect((await until('a figure', figure))[metadata.valueLocation]).toBe(0)
})

test('the end-to-end test of `helm test` passes, and its key is revoked', async () => {
  const container = one(manifests, 'Pod', '-test-end-to-end').spec.containers[0] as Container
  const script = join(folder, 'end-to-end.mjs')
  writeFileSync(script, one(manifests, 'ConfigMap', '-test').data?.['end-to-end.mjs'] as string)
  const { origin } = new URL(shared().managementUrl)
  const env = environmentOf(container, {
    API_URL: `http://127.0.0.1:${(await api.ready).httpPort}`,
    MANAGEMENT_URL: origin,
    MANAGEMENT_VHOST: vhost.name,
  })

  const { stdout } = await run(process.execPath, [script, process.execPath, 'src/main.ts'], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, ...env },
  })

  expect(container.command?.slice(0, 2)).toEqual(['node', '/test/end-to-end.mjs'])
  expect(stdout).toContain('accepted conversation.ended')
  expect(stdout).toContain('it reached SUCCESS')
  expect(stdout).toContain('RabbitMQ counts the queue conversations')
  const keys = await run(process.execPath, ['src/main.ts', 'key', 'list'], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, DATABASE_URL: database.url },
  })
  expect(keys.stdout).toMatch(/helm-test {2}submit,read {2}revoked/)
})

test('the doctor of `helm test` finds nothing wrong', async () => {
  const said = await nightshift('doctor')

  expect(said).toMatch(/ok +queue-counts/)
  expect(said).not.toContain('PROBLEM')
})

test('the end-to-end test fails, and says why, when nobody can take the task', async () => {
  const container = one(manifests, 'Pod', '-test-end-to-end').spec.containers[0] as Container
  const env = environmentOf(container, { API_URL: 'http://127.0.0.1:1', TIMEOUT_SECONDS: '0' })

  const failed = run(process.execPath, [join(folder, 'end-to-end.mjs'), process.execPath, 'src/main.ts'], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, ...env },
  })

  await expect(failed).rejects.toThrow(/sending the task/)
})
