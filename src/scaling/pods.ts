/** The only door of @kubernetes/client-node: reads and writes one annotation of pods of one namespace. */
import { readFile } from 'node:fs/promises'

/** https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#pod-deletion-cost */
const DELETION_COST = 'controller.kubernetes.io/pod-deletion-cost'

export interface Pods {
  /** Reads a pod's cost; 0 when it has none, as Kubernetes counts it. Undefined when there is no such pod. */
  costOf(pod: string): Promise<number | undefined>
  setCost(pod: string, cost: number): Promise<void>
}

/** What the kubelet writes beside the token of the service account. */
const NAMESPACE_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace'
const PATIENCE_MS = 5_000

/** Names the namespace this process runs in. @throws Error naming the setting when there is no service account */
export async function ownNamespace(): Promise<string> {
  try {
    return (await readFile(NAMESPACE_FILE, 'utf8')).trim()
  } catch {
    throw new Error(`NIGHTSHIFT_POD_NAMESPACE is not set, and there is no service account at ${NAMESPACE_FILE}`)
  }
}

/**
 * Opens the pods of a namespace with the pod's service account, or with what KUBECONFIG names. Needs the rights `get`
 * and `patch` on pods. Every call fails within 5 s. The library takes half a second and some 70 MB to load, so it is
 * loaded here and not before.
 */
export async function openPods(namespace: string): Promise<Pods> {
  const kubernetes = await import('@kubernetes/client-node')
  const access = new kubernetes.KubeConfig()
  access.loadFromDefault()
  const cluster = access.getCurrentCluster()
  if (!cluster) throw new Error('no cluster is configured: neither a service account nor KUBECONFIG')
  const bounded = {
    pre: async (request: InstanceType<typeof kubernetes.RequestContext>) => {
      request.setSignal(AbortSignal.timeout(PATIENCE_MS))
      return request
    },
    post: async (response: InstanceType<typeof kubernetes.ResponseContext>) => response,
  }
  const api = new kubernetes.CoreV1Api(
    kubernetes.createConfiguration({
      baseServer: new kubernetes.ServerConfiguration(cluster.server, {}),
      authMethods: { default: access },
      promiseMiddleware: [bounded],
    }),
  )
  const asMerge = kubernetes.setHeaderOptions('Content-Type', kubernetes.PatchStrategy.MergePatch)

  return {
    async costOf(pod) {
      try {
        const { metadata } = await api.readNamespacedPod({ name: pod, namespace })
        return Number(metadata?.annotations?.[DELETION_COST] ?? 0)
      } catch (error) {
        if ((error as { code?: unknown }).code === 404) return undefined
        throw error
      }
    },
    async setCost(pod, cost) {
      const body = { metadata: { annotations: { [DELETION_COST]: String(cost) } } }
      await api.patchNamespacedPod({ name: pod, namespace, body }, asMerge)
    },
  }
}
