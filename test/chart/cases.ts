// Every way to render the chart that is judged: its files of values, each switch turned round, each word of each choice,
// and one deployment with all of it and the longest names.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { CHART, type RenderOptions, SERVERS } from './chart.ts'

export interface Case extends RenderOptions {
  readonly name: string
}

type Tree = { readonly [key: string]: unknown }

/** What must be said besides when a switch is turned. */
const COMPANIONS: Readonly<Record<string, Tree>> = {
  'api.ingress.enabled': { api: { ingress: { hosts: ['tasks.example.com'] } } },
  'consumerDefaults.enabled': { consumers: { default: { enabled: true } } },
}

const CHOICES: Readonly<Record<string, readonly string[]>> = {
  'migration.mode': ['hook', 'job', 'init', 'none'],
  'consumerDefaults.autoscaling.source': ['rabbitmq', 'api', 'both'],
  'api.service.type': ['NodePort', 'LoadBalancer'],
}

const DEFAULTS = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as Tree

/** Makes `{a: {b: value}}` of `a.b`. */
export function at(path: string, value: unknown): Tree {
  return path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Tree
}

/** Lays maps over each other, the last on top. */
export function merged(...trees: readonly Tree[]): Tree {
  const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)
  return trees.reduce<Record<string, unknown>>((all, tree) => {
    for (const [key, value] of Object.entries(tree)) {
      const below = all[key]
      all[key] = isTree(below) && isTree(value) ? merged(below, value) : value
    }
    return all
  }, {})
}

function switchesOf(tree: Tree, above = ''): { path: string; isOn: boolean }[] {
  return Object.entries(tree).flatMap(([key, value]) => {
    const path = above + key
    if (typeof value === 'boolean') return [{ path, isOn: value }]
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return []
    return path === 'consumers' || path.endsWith('SecurityContext') ? [] : switchesOf(value as Tree, `${path}.`)
  })
}

export const LONGEST_RELEASE = 'a-release-whose-name-is-exactly-as-long-as-helm-lets'.padEnd(53, 's')

const EVERYTHING: Tree = {
  commonLabels: { team: 'night' },
  image: { registry: 'registry.example.com/team/', tag: '1.2.3', pullSecrets: [{ name: 'registry' }] },
  broker: { management: { caKey: 'ca.crt', urlKey: 'management-url' } },
  settings: { NIGHTSHIFT_AUTH: true, NIGHTSHIFT_OUTBOX_HIGH: 10_000_000, NIGHTSHIFT_LOG_LEVEL: 'debug' },
  extraEnv: [{ name: 'NODE_EXTRA_CA_CERTS', value: '/ca/ca.crt' }],
  extraEnvFrom: [{ secretRef: { name: 'more', optional: true } }],
  extraVolumes: [{ name: 'ca', secret: { secretName: 'ca' } }],
  extraVolumeMounts: [{ name: 'ca', mountPath: '/ca' }],
  database: { connectionBudget: 1_000 },
  api: {
    image: { digest: `sha256:${'0'.repeat(64)}` },
    autoscaling: { enabled: true },
    service: { annotations: { a: 'b' } },
    ingress: {
      enabled: true,
      className: 'nginx',
      hosts: ['tasks.example.com'],
      tls: [{ hosts: ['tasks.example.com'], secretName: 'tasks-tls' }],
      annotations: { a: 'b' },
    },
    priorityClassName: 'high',
    nodeSelector: { disk: 'ssd' },
    tolerations: [{ key: 'night', operator: 'Exists' }],
    affinity: { nodeAffinity: {} },
    podLabels: { a: 'b' },
    podAnnotations: { a: 'b' },
    serviceAccountAnnotations: { a: 'b' },
    extraEnv: [{ name: 'ONLY_API', value: '1' }],
  },
  consumers: {
    'fifteen-letters': {
      queues: [
        { name: 'documents', concurrency: 5 },
        { name: 'mail', concurrency: 7 },
      ],
      longestTaskSeconds: 1_200,
      autoscaling: { minReplicas: 0, maxReplicas: 30, tasksPerSlot: 3, annotations: { a: 'b' } },
      extraEnv: [{ name: 'ONLY_POOL', value: '1' }],
      extraEnvFrom: [{ configMapRef: { name: 'pool', optional: true } }],
      extraVolumes: [{ name: 'models', emptyDir: {} }],
      extraVolumeMounts: [{ name: 'models', mountPath: '/models' }],
    },
    fixed: { queues: [{ name: 'search', concurrency: 1 }], replicas: 2, autoscaling: { enabled: false } },
  },
  monitoring: {
    serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
    podMonitor: { enabled: true },
    prometheusRule: { enabled: true },
    dashboards: { enabled: true, annotations: { folder: 'Nightshift' } },
  },
  networkPolicy: {
    apiFrom: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress-nginx' } } }],
    metricsFrom: [{ namespaceSelector: {} }],
    serversTo: [{ ipBlock: { cidr: '10.0.0.0/8' } }],
    apiEgress: [{ ports: [{ port: 4318 }] }],
    consumerEgress: [{ ports: [{ port: 443 }] }],
  },
  extraObjects: [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: '{{ .Release.Name }}-more' }, data: { a: 'b' } },
  ],
}

/** Every name that users choose, as one that YAML reads as a number, a truth or nothing. */
const WORDLESS: Tree = {
  nameOverride: '1e3',
  fullnameOverride: 'on',
  commonLabels: { team: '1' },
  database: { existingSecret: '123', urlKey: 'on', connectionBudget: 0 },
  broker: {
    existingSecret: '123',
    urlKey: 'off',
    management: {
      url: 'http://1:15672',
      vhost: '1',
      existingSecret: '123',
      usernameKey: 'yes',
      passwordKey: 'no',
      caKey: '0x10',
    },
  },
  settings: { NIGHTSHIFT_AUTH: 'on' },
  api: { priorityClassName: '1', ingress: { enabled: true, className: '1', hosts: ['1'] } },
  consumerDefaults: { priorityClassName: '1' },
  consumers: {
    default: null,
    ...Object.fromEntries(['1', 'on', 'true', 'null'].map((name) => [name, { queues: [{ name, concurrency: 1 }] }])),
  },
  monitoring: { serviceMonitor: { enabled: true }, podMonitor: { enabled: true } },
}

const FILES = ['values-dev.yaml', 'values-staging.yaml', 'values-prod.yaml']

export const CASES: readonly Case[] = [
  { name: 'the defaults', values: SERVERS },
  ...FILES.map((file) => ({ name: file, file })),
  ...switchesOf(DEFAULTS).map(({ path, isOn }) => ({
    name: `${path}=${!isOn}`,
    values: merged(SERVERS, at(path, !isOn), COMPANIONS[path] ?? {}),
  })),
  ...Object.entries(CHOICES).flatMap(([path, words]) =>
    words.map((word) => ({ name: `${path}=${word}`, values: merged(SERVERS, at(path, word)) })),
  ),
  {
    name: 'a removed pool',
    values: merged(SERVERS, { consumers: { default: null, other: { queues: [{ name: 'mail', concurrency: 2 }] } } }),
  },
  { name: 'names that are no text to YAML', values: WORDLESS, release: '123', namespace: '456' },
  { name: 'everything', values: merged(SERVERS, EVERYTHING), release: LONGEST_RELEASE },
]
