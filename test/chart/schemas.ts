// The schemas that a cluster would judge by: those of the API server's own kinds, and those of the custom resources as
// KEDA and the Prometheus operator publish them. Unknown fields are refused, as `kubectl --validate=strict` does.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import { parse } from 'yaml'
import { goModule } from '../../scripts/go.ts'
import type { Manifest } from './chart.ts'

interface Schema {
  properties?: Record<string, Schema>
  additionalProperties?: boolean | Schema
  items?: Schema
  [keyword: string]: unknown
}

interface Definition extends Schema {
  'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }[]
}

const METADATA = 'kubernetes#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'

const CRDS = {
  ScaledObject: ['github.com/kedacore/keda/v2', 'config/crd/bases/keda.sh_scaledobjects.yaml'],
  TriggerAuthentication: ['github.com/kedacore/keda/v2', 'config/crd/bases/keda.sh_triggerauthentications.yaml'],
  ServiceMonitor: [
    'github.com/prometheus-operator/prometheus-operator',
    'example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml',
  ],
  PodMonitor: [
    'github.com/prometheus-operator/prometheus-operator',
    'example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml',
  ],
  PrometheusRule: [
    'github.com/prometheus-operator/prometheus-operator',
    'example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml',
  ],
} as const

/** Makes a judge of manifests: it returns one sentence for each fault. */
export function createJudge(): (manifest: Manifest) => string[] {
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true, code: { regExp: goPattern } })
  const openApi = readFileSync(join(goModule('k8s.io/kubernetes'), 'api/openapi-spec/swagger.json'), 'utf8')
  const { definitions } = JSON.parse(openApi) as { definitions: Record<string, Definition> }
  // The server takes both forms of each, which OpenAPI 2 cannot say.
  const both = { type: ['string', 'number'] }
  definitions['io.k8s.apimachinery.pkg.util.intstr.IntOrString'] = both
  definitions['io.k8s.apimachinery.pkg.api.resource.Quantity'] = both
  for (const definition of Object.values(definitions)) close(definition)
  ajv.addSchema({ $id: 'kubernetes', definitions })
  const judges = new Map<string, Judge>()
  for (const [name, definition] of Object.entries(definitions)) {
    for (const { group, version, kind } of definition['x-kubernetes-group-version-kind'] ?? []) {
      const apiVersion = group ? `${group}/${version}` : version
      judges.set(
        `${apiVersion} ${kind}`,
        lazily(() => ajv.compile({ $ref: `kubernetes#/definitions/${name}` })),
      )
    }
  }
  for (const [kind, [module, path]] of Object.entries(CRDS)) {
    const crd = parse(readFileSync(join(goModule(module), path), 'utf8'))
    for (const { name, schema } of crd.spec.versions) {
      const closed = close(structuredClone(schema.openAPIV3Schema))
      closed.properties = { ...closed.properties, metadata: { $ref: METADATA } }
      judges.set(
        `${crd.spec.group}/${name} ${kind}`,
        lazily(() => ajv.compile(closed)),
      )
    }
  }
  return (manifest) => {
    const judge = judges.get(`${manifest.apiVersion} ${manifest.kind}`)
    if (!judge) return [`no schema is known for ${manifest.apiVersion} ${manifest.kind}`]
    return judge(manifest).map(
      ({ instancePath, message, params }) =>
        `${manifest.kind} ${manifest.metadata.name}${instancePath} ${message} ${JSON.stringify(params)}`,
    )
  }
}

/** Refuses the fields that an object does not list, at every depth. */
function close(schema: Schema): Schema {
  const { properties, items, additionalProperties } = schema
  if (properties && additionalProperties === undefined && !schema['x-kubernetes-preserve-unknown-fields']) {
    schema.additionalProperties = false
  }
  for (const inner of Object.values(properties ?? {})) close(inner)
  if (items) close(items)
  if (typeof additionalProperties === 'object') close(additionalProperties)
  // Its type is given beside it, and the pattern is of the string alone.
  if (schema['x-kubernetes-int-or-string']) {
    delete schema.type
    delete schema.anyOf
  }
  return schema
}

/** Patterns are Go's, which has its flag for upper and lower case inside. */
const goPattern = Object.assign(
  (pattern: string, flags: string) =>
    pattern.includes('(?i)') ? new RegExp(pattern.replace('(?i)', ''), `${flags}i`) : new RegExp(pattern, flags),
  { code: 'goPattern' },
)

type Judge = (data: unknown) => readonly ErrorObject[]

/** Compiles a schema when something of its kind is first judged: most kinds never are. */
function lazily(compile: () => ValidateFunction): Judge {
  let compiled: ValidateFunction | undefined
  return (data) => {
    compiled ??= compile()
    return compiled(data) ? [] : (compiled.errors ?? [])
  }
}
