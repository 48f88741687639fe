/** The schemas of the OpenAPI document: those that check the input, under the names that routes and task types give them. */
import { z } from 'zod'
import type { Contracts } from '../core/task-types.ts'
import { problemSchema } from '../http/problem.ts'
import type { AnswerDoc, Content, NamedSchema, Route } from '../http/route.ts'

export type Json = Readonly<Record<string, unknown>>

export const refTo = (name: string): Json => ({ $ref: `#/components/schemas/${name}` })

/** What an answer may be. */
export const contentsOf = ({ schema, contents }: AnswerDoc): readonly Content[] =>
  contents ?? (schema === undefined ? [] : [{ type: 'application/json', schema }])

/** Collects the schemas that the routes bring and the payloads of all task types. @throws Error when two have one name */
export function schemasOf(routes: readonly Route[], contracts: Contracts): Record<string, Json> {
  const registry = z.registry<{ id: string }>()
  const names = new Map<string, z.ZodType>()
  const add = (named: NamedSchema | undefined): void => {
    if (named === undefined || typeof named === 'string') return
    const known = names.get(named.name)
    if (known === named.schema) return
    if (known) throw new Error(`two schemas are called ${named.name}`)
    names.set(named.name, named.schema)
    registry.add(named.schema, { id: named.name })
  }
  add({ name: 'Problem', schema: problemSchema })
  for (const { doc } of routes) {
    for (const { schema } of doc.body?.contents ?? []) add(schema)
    for (const answer of Object.values(doc.answers)) for (const { schema } of contentsOf(answer)) add(schema)
  }
  // Two task types may share one schema object, so each gets its own entry outside the registry.
  const payloads = [...contracts.values()].map(
    ({ name, summary, payload }) =>
      [`payload.${name}`, { description: summary, ...componentOf(`payload.${name}`, payload) }] as const,
  )
  const made = z.toJSONSchema(registry, {
    io: 'input',
    unrepresentable: 'any',
    uri: (id) => `#/components/schemas/${id}`,
  })
  const shared = Object.entries(made.schemas).map(([name, schema]) => [name, withoutIdentity(schema)] as const)
  const schemas: Record<string, Json> = Object.fromEntries([...shared, ...payloads])
  describePayload(
    schemas,
    payloads.map(([name]) => name),
  )
  return schemas
}

/** Writes a schema of input as JSON Schema, for the place where it stands. */
export function jsonSchemaOf(schema: z.ZodType): Json {
  return withoutIdentity(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' }))
}

/** A schema that refers to itself does so from the root of its own document, which is now a place in ours. */
function componentOf(name: string, schema: z.ZodType): Json {
  const text = JSON.stringify(jsonSchemaOf(schema), (key, value: unknown) =>
    key === '$ref' && typeof value === 'string' ? value.replace(/^#/, `#/components/schemas/${name}`) : value,
  )
  return JSON.parse(text) as Json
}

function withoutIdentity({ $schema: _schema, $id: _id, ...rest }: Record<string, unknown>): Json {
  return rest
}

/** Says in the submissions what the payload of each task type is. */
function describePayload(schemas: Record<string, Json>, payloads: readonly string[]): void {
  if (payloads.length === 0) return
  for (const name of ['Submission', 'BatchItem']) {
    const schema = schemas[name] as { properties?: { payload?: Json; name?: Json } } | undefined
    if (!schema?.properties) continue
    const properties = {
      ...schema.properties,
      name: { ...schema.properties.name, enum: payloads.map((payload) => payload.replace(/^payload\./, '')) },
      payload: { ...schema.properties.payload, anyOf: payloads.map(refTo) },
    }
    schemas[name] = { ...schema, properties }
  }
}
