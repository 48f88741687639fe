// What must fit together between the objects of one release: names, selectors, ports, Secrets, order.
import { type Manifest, podSpecs } from './chart.ts'

/** The longest names, where it is not 253. A Service's and a pod's host name are DNS labels; the rest become labels. */
const LIMITS: Readonly<Record<string, number>> = {
  Service: 63,
  Deployment: 63,
  // Its pods carry the label controller-revision-hash: the name, a dash and ten more characters.
  StatefulSet: 52,
  Job: 63,
  // KEDA puts `keda-hpa-` before it.
  ScaledObject: 54,
  HorizontalPodAutoscaler: 63,
  Pod: 63,
}

/** Lists names that are too long, not allowed, or used twice. */
export function badNames(manifests: readonly Manifest[]): string[] {
  const seen = new Set<string>()
  return manifests.flatMap(({ kind, metadata, spec }) => {
    const problems: string[] = []
    const { name, labels = {} } = metadata
    if (name.length > (LIMITS[kind] ?? 253)) problems.push(`${kind} ${name} has ${name.length} characters`)
    if (kind === 'Service' && !/^[a-z]/.test(name)) problems.push(`Service ${name} does not begin with a letter`)
    if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name)) problems.push(`${kind} ${name} is no DNS label`)
    if (seen.has(`${kind} ${name}`)) problems.push(`${kind} ${name} is there twice`)
    seen.add(`${kind} ${name}`)
    const podLabels = spec?.template?.metadata?.labels ?? {}
    for (const [key, value] of [...Object.entries(labels), ...Object.entries(podLabels)]) {
      if (!/^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/.test(String(value))) {
        problems.push(`${kind} ${name} has the label ${key}=${value}`)
      }
    }
    return problems
  })
}

/** Lists references that lead to nothing: to Secrets, ServiceAccounts, Services, workloads and ports. */
export function danglers(manifests: readonly Manifest[], existingSecrets: ReadonlySet<string>): string[] {
  const names = (kind: string): Set<string> =>
    new Set(manifests.filter((each) => each.kind === kind).map(({ metadata }) => metadata.name))
  const problems: string[] = []
  const needSecret = (who: string, { name, key }: { name: string; key: string }): void => {
    const made = manifests.find((each) => each.kind === 'Secret' && each.metadata.name === name)
    if (made ? made.data?.[key] === undefined : !existingSecrets.has(name))
      problems.push(`${who}: Secret ${name}/${key}`)
  }
  for (const { from, spec, containers } of podSpecs(manifests)) {
    const who = `${from.kind} ${from.metadata.name}`
    if (spec.serviceAccountName && !names('ServiceAccount').has(spec.serviceAccountName)) {
      problems.push(`${who}: ServiceAccount ${spec.serviceAccountName}`)
    }
    const volumes = new Set((spec.volumes ?? []).map(({ name }: { name: string }) => name))
    for (const container of containers) {
      for (const { valueFrom } of container.env ?? [])
        if (valueFrom?.secretKeyRef) needSecret(who, valueFrom.secretKeyRef)
      for (const { name } of container.volumeMounts ?? [])
        if (!volumes.has(name)) problems.push(`${who}: volume ${name}`)
      const ports = new Set((container.ports ?? []).map(({ name }: { name: string }) => name))
      for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
        const port = (container[probe]?.httpGet ?? container[probe]?.tcpSocket)?.port
        if (port !== undefined && !ports.has(port)) problems.push(`${who}: ${probe} on port ${port}`)
      }
    }
  }
  for (const { kind, metadata, spec } of manifests) {
    if (kind === 'TriggerAuthentication') {
      for (const reference of spec.secretTargetRef) needSecret(`${kind} ${metadata.name}`, reference)
    }
    if (kind === 'ScaledObject' || kind === 'HorizontalPodAutoscaler') {
      if (!names('Deployment').has(spec.scaleTargetRef.name)) problems.push(`${kind} ${metadata.name}: its target`)
      for (const { authenticationRef } of spec.triggers ?? []) {
        if (authenticationRef && !names('TriggerAuthentication').has(authenticationRef.name)) {
          problems.push(`${kind} ${metadata.name}: TriggerAuthentication ${authenticationRef.name}`)
        }
      }
    }
    const selector = { Service: spec?.selector, PodDisruptionBudget: spec?.selector?.matchLabels }[kind]
    if (selector && podsOf(manifests, selector).length === 0) problems.push(`${kind} ${metadata.name} selects no pod`)
    if (kind === 'Service') {
      for (const { targetPort } of spec.ports) {
        const offered = podsOf(manifests, selector).flatMap(({ containers }) =>
          containers.flatMap(({ ports }) => ports),
        )
        if (!offered.some((port) => port?.name === targetPort)) problems.push(`Service ${metadata.name}: ${targetPort}`)
      }
    }
  }
  return problems
}

/** Lists the pods that a selector selects. */
export function podsOf(manifests: readonly Manifest[], selector: Readonly<Record<string, string>>) {
  return podSpecs(manifests).filter(({ from }) => {
    const labels = (from.kind === 'Pod' ? from.metadata : from.spec.template.metadata).labels ?? {}
    return Object.entries(selector).every(([key, value]) => labels[key] === value)
  })
}

/** Lists what a hook that runs before the installation needs, and the installation makes: a deadlock. */
export function deadlocks(manifests: readonly Manifest[]): string[] {
  const isHook = ({ metadata }: Manifest): boolean => /pre-install/.test(metadata.annotations?.['helm.sh/hook'] ?? '')
  const made = new Set(
    manifests.filter((each) => !isHook(each)).map(({ kind, metadata }) => `${kind} ${metadata.name}`),
  )
  return podSpecs(manifests.filter(isHook)).flatMap(({ from, spec, containers }) => {
    const needs = [
      ...(spec.serviceAccountName ? [`ServiceAccount ${spec.serviceAccountName}`] : []),
      ...containers.flatMap(({ env = [] }) =>
        env.flatMap(({ valueFrom }) => (valueFrom?.secretKeyRef ? [`Secret ${valueFrom.secretKeyRef.name}`] : [])),
      ),
      ...(spec.volumes ?? []).flatMap((volume: { configMap?: { name: string } }) =>
        volume.configMap ? [`ConfigMap ${volume.configMap.name}`] : [],
      ),
    ]
    return needs.filter((need) => made.has(need)).map((need) => `hook ${from.metadata.name} needs ${need}`)
  })
}
