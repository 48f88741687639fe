/**
 * The OpenAPI 3.1 document, made from the routes that the server has and the schemas that check the input, so it can
 * say nothing else than what happens.
 */

import type { z } from 'zod'
import type { Scope } from '../core/caller.ts'
import type { Contracts } from '../core/task-types.ts'
import { PROBLEMS, type ProblemSlug } from '../http/problem.ts'
import type { AnswerDoc, Content, NamedSchema, Route } from '../http/route.ts'
import { contentsOf, type Json, jsonSchemaOf, refTo, schemasOf } from './schemas.ts'

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

export interface OpenApiOptions {
  readonly version: string
  /** Calls need a key. */
  readonly isAuthOn: boolean
}

/** Makes the document. @throws Error when a route refers to a schema that none brings */
export function openApiOf(
  routes: readonly Route[],
  contracts: Contracts,
  { version, isAuthOn }: OpenApiOptions,
): OpenApi {
  const schemas = schemasOf(routes, contracts)
  const paths = Object.fromEntries(
    [...Map.groupBy(routes, ({ path }) => path)].map(([path, onPath]) => [
      path,
      Object.fromEntries(onPath.map((one) => [one.method, operationOf(one, schemas, isAuthOn)])),
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

const OF_A_BODY: readonly ProblemSlug[] = [
  'malformed-json',
  'request-too-large',
  'unsupported-media-type',
  'invalid-input',
  'too-much-at-once',
  'unavailable',
]

function operationOf(
  { method, path, scopes, query, doc }: Route,
  schemas: Record<string, Json>,
  isAuthOn: boolean,
): Operation {
  const nameOf = (named: NamedSchema): string => {
    const name = typeof named === 'string' ? named : named.name
    if (!(name in schemas)) throw new Error(`${method} ${path} refers to the schema ${name}, which does not exist`)
    return name
  }
  const problems: ProblemSlug[] = [
    // Of a query parameter that is not known, too.
    'invalid-parameter',
    ...(scopes.length > 0 ? (['unauthenticated', 'missing-scope', 'unavailable'] as const) : []),
    ...(doc.body ? OF_A_BODY : []),
    ...(doc.problems ?? []),
  ]
  return {
    operationId: `${method}${path.replaceAll(/[^A-Za-z0-9]+(.)?/g, (_all, next: string | undefined) => next?.toUpperCase() ?? '')}`,
    summary: doc.summary,
    ...(doc.description === undefined ? {} : { description: doc.description }),
    tags: [doc.tag],
    parameters: parametersOf(path, query, doc.headers ?? {}),
    ...(doc.body
      ? { requestBody: { required: doc.body.required, content: contentOf(doc.body.contents, nameOf) } }
      : {}),
    responses: { ...answersOf(doc.answers, nameOf), ...problemsOf(problems, doc.answers) },
    security: securityOf(scopes, isAuthOn),
  }
}

/** One of these is enough, so each stands alone: what stands in one entry would be needed together. */
const securityOf = (scopes: readonly Scope[], isAuthOn: boolean): Json[] =>
  scopes.length === 0 || !isAuthOn ? [] : [...scopes, 'admin'].map((scope) => ({ key: [scope] }))

function contentOf(contents: readonly Content[], nameOf: (named: NamedSchema) => string): Json {
  return Object.fromEntries(
    contents.map(({ type, schema, isList }) => {
      const one = refTo(nameOf(schema))
      return [type, { schema: isList ? { type: 'array', items: one } : one }]
    }),
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
    Object.entries(answers).map(([status, answer]) => [
      status,
      {
        description: answer.says,
        headers: {
          ...ON_EVERY_ANSWER,
          ...Object.fromEntries(
            Object.entries(answer.headers ?? {}).map(([name, description]) => [
              name,
              { description, schema: { type: 'string' } },
            ]),
          ),
        },
        ...(contentsOf(answer).length === 0 ? {} : { content: contentOf(contentsOf(answer), nameOf) }),
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
