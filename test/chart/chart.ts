// Renders the chart as its users do, with helm itself, and reads what comes out.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'
import { type Helm, helmOf } from '../../scripts/kubernetes/tools.ts'

export const CHART = fileURLToPath(new URL('../../charts/nightshift', import.meta.url))
/** Brought when this file is loaded, because a test has seconds and a download may take longer. */
export const PROGRAMS: Readonly<Record<Helm, string>> = { helm3: helmOf('helm3'), helm4: helmOf('helm4') }
export const HELMS = Object.keys(PROGRAMS) as Helm[]

/** An object of Kubernetes, as far as the tests look into it. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  // biome-ignore lint/suspicious/noExplicitAny: each kind has its own shape, which the real schema checks.
  readonly spec?: any
  readonly data?: Readonly<Record<string, string>>
  // biome-ignore lint/suspicious/noExplicitAny: rules of a Role, subjects of a binding.
  readonly [field: string]: any
}

export interface RenderOptions {
  readonly helm?: Helm
  readonly release?: string
  readonly namespace?: string
  /** A file of values in the chart's folder. */
  readonly file?: string
  readonly values?: Readonly<Record<string, unknown>>
}

/** What servers need; with it the chart's own defaults render. */
export const SERVERS = {
  database: { existingSecret: 'db' },
  broker: {
    existingSecret: 'mq',
    management: { url: 'http://rabbitmq.queues.svc:15672', existingSecret: 'mq' },
  },
}

/** Renders the chart. @throws Error with what helm said */
export function render(options: RenderOptions = {}): Manifest[] {
  const { status, stdout, stderr } = runHelm('template', options)
  if (status !== 0) throw new Error(stderr)
  // As helm and kubectl read it: in YAML 1.1 `on` is no text.
  const documents = parseAllDocuments(stdout, { version: '1.1' })
  for (const document of documents) if (document.errors.length > 0) throw document.errors[0]
  return documents.map((document) => document.toJS() as Manifest | null).filter((manifest) => manifest !== null)
}

/** Renders what must be refused, and returns why. */
export function refusal(options: RenderOptions): string {
  const { status, stderr } = runHelm('template', options)
  return status === 0 ? 'nothing was refused' : stderr
}

/** Runs helm on the chart. */
export function runHelm(
  command: 'template' | 'lint' | 'install',
  { helm = 'helm4', release = 'demo', namespace = 'tasks', file, values = {} }: RenderOptions,
  ...more: string[]
): { status: number | null; stdout: string; stderr: string } {
  const folder = mkdtempSync(join(tmpdir(), 'nightshift-chart-'))
  try {
    const own = join(folder, 'values.yaml')
    // JSON is YAML in which every name stays text.
    writeFileSync(own, JSON.stringify(values))
    const files = [...(file ? ['--values', join(CHART, file)] : []), '--values', own]
    const name = command === 'lint' ? [] : [release]
    return spawnSync(PROGRAMS[helm], [command, ...name, CHART, '--namespace', namespace, ...files, ...more], {
      encoding: 'utf8',
      // Nobody's own plugins and repositories.
      env: { PATH: process.env.PATH, HOME: folder },
      maxBuffer: 64 * 2 ** 20,
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Finds the one object of that kind whose name ends so. */
export function one(manifests: readonly Manifest[], kind: string, ending = ''): Manifest {
  const found = manifests.filter((each) => each.kind === kind && each.metadata.name.endsWith(ending))
  if (found.length !== 1) throw new Error(`${found.length} objects are a ${kind} that ends with "${ending}"`)
  return found[0] as Manifest
}

export interface Container {
  readonly name: string
  readonly image: string
  readonly args?: readonly string[]
  readonly command?: readonly string[]
  readonly env?: readonly EnvVar[]
  readonly envFrom?: readonly { secretRef?: { name: string }; configMapRef?: { name: string } }[]
  // biome-ignore lint/suspicious/noExplicitAny: probes, security, resources.
  readonly [field: string]: any
}

export interface EnvVar {
  readonly name: string
  readonly value?: string
  readonly valueFrom?: { secretKeyRef?: { name: string; key: string }; fieldRef?: { fieldPath: string } }
}

/** Lists the pods that an object makes, or is: their specs. */
// biome-ignore lint/suspicious/noExplicitAny: see Manifest.
export function podSpecs(manifests: readonly Manifest[]): { from: Manifest; spec: any; containers: Container[] }[] {
  return manifests.flatMap((from) => {
    const spec = from.kind === 'Pod' ? from.spec : from.spec?.template?.spec
    return spec ? [{ from, spec, containers: [...(spec.initContainers ?? []), ...spec.containers] }] : []
  })
}

/** Reads one plain variable of a container. */
export function envOf({ env = [] }: Container, name: string): string | undefined {
  return env.find((each) => each.name === name)?.value
}
