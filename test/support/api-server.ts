// Stands in for the API server of Kubernetes, because no cluster runs here: it speaks the two calls that Nightshift
// makes (read a pod, patch its annotations), and can be away or say no.
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

export interface Write {
  readonly pod: string
  readonly cost: string
}

export interface ApiServer {
  /** A file for KUBECONFIG that leads here. */
  readonly kubeconfig: string
  /** Every patch so far, in order. */
  readonly writes: readonly Write[]
  /** The pods that were read and exist, in order. */
  readonly reads: readonly string[]
  /** What stands on a pod, undefined without the annotation. */
  costOf(pod: string): string | undefined
  /** Answers everything with this status from now on; undefined: as it should. */
  fail(status: number | undefined): void
  stop(): Promise<void>
}

const COST = 'controller.kubernetes.io/pod-deletion-cost'
const TOKEN = 'a-token'

/** Starts it with these pods in the namespace. */
export async function anApiServer(namespace: string, pods: readonly string[]): Promise<ApiServer> {
  const annotations = new Map(pods.map((pod) => [pod, {} as Record<string, string>]))
  const writes: Write[] = []
  const reads: string[] = []
  let failing: number | undefined

  async function answer(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
    const body = await text(request)
    if (failing !== undefined) return { status: failing, body: { kind: 'Status', code: failing } }
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return { status: 401, body: { kind: 'Status' } }
    const pod = new RegExp(`^/api/v1/namespaces/${namespace}/pods/([^/?]+)$`).exec(request.url ?? '')?.[1] ?? ''
    const own = annotations.get(pod)
    if (!own) return { status: 404, body: { kind: 'Status', code: 404 } }
    if (request.method === 'PATCH') {
      if (request.headers['content-type'] !== 'application/merge-patch+json') return { status: 415, body: {} }
      Object.assign(own, JSON.parse(body).metadata.annotations)
      writes.push({ pod, cost: own[COST] as string })
    } else if (request.method === 'GET') reads.push(pod)
    else return { status: 405, body: {} }
    return {
      status: 200,
      body: { apiVersion: 'v1', kind: 'Pod', metadata: { name: pod, namespace, annotations: own } },
    }
  }

  const server = createServer((request, response) => {
    answer(request).then(({ status, body }) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    kubeconfig: writeKubeconfig(address),
    writes,
    reads,
    costOf: (pod) => annotations.get(pod)?.[COST],
    fail(status) {
      failing = status
    },
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function writeKubeconfig(server: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'nightshift-kubeconfig-')), 'config')
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [{ name: 'test', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'test', user: { token: TOKEN } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
  }
  writeFileSync(path, JSON.stringify(config))
  return path
}
