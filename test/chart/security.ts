// The Pod Security Standard "restricted", and what the chart promises beyond it.
// https://kubernetes.io/docs/concepts/security/pod-security-standards/
import { type Manifest, podSpecs } from './chart.ts'

/** Lists what is less than restricted, for all pods. */
export function laxities(manifests: readonly Manifest[]): string[] {
  return podSpecs(manifests).flatMap(({ from, spec, containers }) => {
    const says = (what: string): string => `${from.kind} ${from.metadata.name}: ${what}`
    const pod = spec.securityContext ?? {}
    const problems = [
      ...['hostNetwork', 'hostPID', 'hostIPC'].filter((field) => spec[field]).map((field) => says(field)),
      ...(spec.volumes ?? [])
        .filter((volume: object) => !Object.keys(volume).some((key) => ALLOWED_VOLUMES.has(key)))
        .map((volume: { name: string }) => says(`volume ${volume.name}`)),
      ...(pod.runAsNonRoot === true && pod.runAsUser > 0 ? [] : [says('may run as root')]),
      ...(pod.seccompProfile?.type === 'RuntimeDefault' ? [] : [says('no seccomp profile')]),
      ...(spec.enableServiceLinks === false ? [] : [says('service links')]),
      ...(spec.automountServiceAccountToken === undefined ? [says('does not say whether it mounts a token')] : []),
    ]
    for (const { name, securityContext = {}, ports = [], resources = {} } of containers) {
      if (securityContext.allowPrivilegeEscalation !== false) problems.push(says(`${name} may gain privileges`))
      if (securityContext.privileged) problems.push(says(`${name} is privileged`))
      if (securityContext.readOnlyRootFilesystem !== true) problems.push(says(`${name} may write its root`))
      if (securityContext.capabilities?.drop?.[0] !== 'ALL') problems.push(says(`${name} keeps capabilities`))
      if (securityContext.capabilities?.add) problems.push(says(`${name} adds capabilities`))
      if (securityContext.runAsUser === 0) problems.push(says(`${name} is root`))
      if (ports.some(({ hostPort }: { hostPort?: number }) => hostPort)) problems.push(says(`${name} has a host port`))
      if (!resources.limits?.memory) problems.push(says(`${name} has no limit of memory`))
    }
    return problems
  })
}

const ALLOWED_VOLUMES = new Set([
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'persistentVolumeClaim',
  'projected',
  'secret',
])
