/**
 * The OpenAPI 3.1 document, made from the routes that the server has and the schemas that check the input, so it can
 * say nothing else than what happens.
 */

import { z } from 'zod'
import type { Contracts } from '../core/task-types.ts'
import { PROBLEMS, type ProblemSlug, problemSchema } from '../http/problem.ts'
import type { AnswerDoc, NamedSchema, Route } from '../http/route.ts'

type Json = Readonly<Record<string, unknown>>

export interface OpenApi extends Json {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, Json>> } & Json
}

export interface Operation extends Json {
  readonly summary: string
  readonly tags: readonly string[]
  readonly description?: string
  readonly parameters: readonly Json[]
  readonly requestBody?: Json
  readonly responses: Readonly<Record<string, Json>>
}

/** Makes the document. @throws Error when a route refers to a schema that none brings */
export function openApiOf(routes: readonly Route[], contracts: Contracts, version: string): OpenApi {
  const schemas = schemasOf(routes, contracts)
  const paths = Object.fromEntries(
    [...Map.groupBy(routes, ({ path }) => path)].map(([path, onPath]) => [
      path,
      Object.fromEntries(onPath.map((one) => [one.method, operationOf(one, schemas)])),
    ]),
  )
  return {
    openapi: '3.1.0',
    info: {
      title: 'Nightshift',
      version,
      description:
        'An asynchronous task platform: a task answered 202 is committed and reaches SUCCESS, FAILED or CANCELLED. ' +
        'Errors are RFC 9457 problems. Every answer has X-Request-Id; send your own to find everything by it.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas,
      headers: {
        'X-Request-Id': { description: 'The id of the request: yours, or a new one.', schema: { type: 'string' } },
        traceparent: {
          description: 'W3C trace context: your trace goes on, or a new one begins.',
          schema: { type: 'string' },
        },
      },
      securitySchemes: {
        key: { type: 'http', scheme: 'bearer', description: 'An API key with the scopes named per call.' },
      },
    },
  }
}

const ON_EVERY_ANSWER: Json = {
  'X-Request-Id': { $ref: '#/components/headers/X-Request-Id' },
  traceparent: { $ref: '#/components/headers/traceparent' },
}

const refTo = (name: string): Json => ({ $ref: `#/components/schemas/${name}` })

function schemasOf(routes: readonly Route[], contracts: Contracts): Record<string, Json> {
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
    add(doc.body?.schema)
    for (const answer of Object.values(doc.answers)) add(answer.schema)
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

function jsonSchemaOf(schema: z.ZodType): Json {
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

function operationOf({ method, path, scopes, query, doc }: Route, schemas: Record<string, Json>): Operation {
  const nameOf = (named: NamedSchema): string => {
    const name = typeof named === 'string' ? named : named.name
    if (!(name in schemas)) throw new Error(`${method} ${path} refers to the schema ${name}, which does not exist`)
    return name
  }
  const problems: ProblemSlug[] = [
    ...(scopes.length > 0 ? (['unauthenticated', 'missing-scope'] as const) : []),
    ...(Object.keys(query.shape).length > 0 ? (['invalid-parameter'] as const) : []),
    ...(doc.problems ?? []),
  ]
  return {
    operationId: `${method}${path.replaceAll(/[^A-Za-z0-9]+(.)?/g, (_all, next: string | undefined) => next?.toUpperCase() ?? '')}`,
    summary: doc.summary,
    ...(doc.description === undefined ? {} : { description: doc.description }),
    tags: [doc.tag],
    parameters: parametersOf(path, query, doc.headers ?? {}),
    ...(doc.body
      ? { requestBody: { required: doc.body.required, content: contentOf(doc.body.types, nameOf(doc.body.schema)) } }
      : {}),
    responses: { ...answersOf(doc.answers, nameOf), ...problemsOf(problems, doc.answers) },
    security: scopes.length > 0 ? [{ key: scopes }] : [],
  }
}

/** A batch in JSON is an array of the items that stand one by one in NDJSON. */
function contentOf(types: readonly string[], name: string): Json {
  const isBatch = types.length > 1
  return Object.fromEntries(
    types.map((type) => [
      type,
      { schema: isBatch && type === 'application/json' ? { type: 'array', items: refTo(name) } : refTo(name) },
    ]),
  )
}

function parametersOf(path: string, query: z.ZodObject, headers: Readonly<Record<string, string>>): Json[] {
  const schema = jsonSchemaOf(query) as { properties?: Record<string, Json>; required?: string[] }
  return [
    ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
      name,
      in: 'path',
      required: true,
      schema: { type: 'string' },
    })),
    ...Object.entries(schema.properties ?? {}).map(([name, { description, ...rest }]) => ({
      name,
      in: 'query',
      required: schema.required?.includes(name) ?? false,
      ...(description === undefined ? {} : { description }),
      schema: rest,
    })),
    ...Object.entries(headers).map(([name, description]) => ({
      name,
      in: 'header',
      required: false,
      description,
      schema: { type: 'string' },
    })),
  ]
}

function answersOf(
  answers: Readonly<Record<number, AnswerDoc>>,
  nameOf: (named: NamedSchema) => string,
): Record<string, Json> {
  return Object.fromEntries(
    Object.entries(answers).map(([status, { says, type = 'application/json', schema, headers = {} }]) => [
      status,
      {
        description: says,
        headers: {
          ...ON_EVERY_ANSWER,
          ...Object.fromEntries(
            Object.entries(headers).map(([name, description]) => [name, { description, schema: { type: 'string' } }]),
          ),
        },
        ...(schema === undefined ? {} : { content: { [type]: { schema: refTo(nameOf(schema)) } } }),
      },
    ]),
  )
}

function problemsOf(slugs: readonly ProblemSlug[], answers: Readonly<Record<number, AnswerDoc>>): Record<string, Json> {
  const byStatus = Map.groupBy(new Set([...slugs, 'internal' as const]), (slug) => PROBLEMS[slug].status)
  return Object.fromEntries(
    [...byStatus]
      .filter(([status]) => !(status in answers))
      .map(([status, same]) => [
        status,
        {
          description: same.map((slug) => `${PROBLEMS[slug].title} (\`${slug}\`)`).join('; '),
          headers: ON_EVERY_ANSWER,
          content: { 'application/problem+json': { schema: refTo('Problem') } },
        },
      ]),
  )
}
