/**
 * A route is a value: where it answers, who may call, what it takes, how it is documented and what it does. The server
 * and the OpenAPI document are both made from the same list, so neither can have what the other lacks.
 */
import { z } from 'zod'
import type { Scope } from '../core/caller.ts'
import type { Answer, Call, Exchange } from './call.ts'
import { parseQuery } from './input.ts'
import type { ProblemSlug } from './problem.ts'

export type { Answer, Call, Exchange } from './call.ts'

/** A schema under the name it has in the document; a name alone refers to one that another route brings. */
export type NamedSchema = { readonly name: string; readonly schema: z.ZodType } | string

/** A media type, and what stands in it. */
export interface Content {
  readonly type: string
  readonly schema: NamedSchema
  /** It is an array of these. */
  readonly isList?: true
}

export interface RouteDoc {
  readonly summary: string
  readonly description?: string
  readonly tag: 'Tasks' | 'Requests' | 'Operations' | 'Health' | 'Documentation'
  /** Request headers that the route reads, with a sentence each. */
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: { readonly contents: readonly Content[]; readonly required: boolean }
  readonly answers: Readonly<Record<number, AnswerDoc>>
  readonly problems?: readonly ProblemSlug[]
}

export interface AnswerDoc {
  readonly says: string
  /** As JSON; what is answered in other types stands in `contents`. */
  readonly schema?: NamedSchema
  readonly contents?: readonly Content[]
  readonly headers?: Readonly<Record<string, string>>
}

interface Described<Query extends z.ZodObject> {
  readonly method: 'get' | 'post'
  /** As in OpenAPI: `/api/v1/tasks/{id}`. */
  readonly path: string
  /** The caller needs one of these scopes, or `admin`; none for a route that everybody may call. */
  readonly scopes: readonly Scope[]
  /** It takes tasks in: whatever refuses a call of it, a missing key or a database that is away, counts as a task refused. */
  readonly takesTasks?: true
  /** A page for people: express serves it, and its path has no parameters. */
  readonly isPage?: true
  /** Every parameter that may stand in the query; others are answered 400. */
  readonly query?: Query
  readonly doc: RouteDoc
}

interface Answering<Query extends z.ZodObject> extends Described<Query> {
  readonly answer: (call: Call, query: z.output<Query>) => Promise<Answer>
}

interface Sharing<Query extends z.ZodObject> extends Described<Query> {
  /** Takes a call over, to answer it together with others. What it throws is answered. */
  readonly take: (exchange: Exchange, query: z.output<Query>) => void
}

export interface Route extends Described<z.ZodObject> {
  readonly query: z.ZodObject
  /** Sees to it that the call is answered. Never throws. */
  readonly handle: (exchange: Exchange) => void
}

const NO_QUERY = z.strictObject({})

/** Makes a route whose `answer` or `take` gets the query already checked. */
export function route<Query extends z.ZodObject = typeof NO_QUERY>(input: Answering<Query> | Sharing<Query>): Route {
  const schema = input.query ?? NO_QUERY
  const begin = 'take' in input ? input.take : answeringBy(input.answer)
  return {
    ...input,
    query: schema,
    handle(exchange) {
      try {
        begin(exchange, parseQuery(schema, exchange) as z.output<Query>)
      } catch (error) {
        exchange.fail(error)
      }
    },
  }
}

function answeringBy<Query>(answer: (call: Call, query: Query) => Promise<Answer>) {
  return (exchange: Exchange, query: Query): void => {
    answer(exchange, query).then(
      (made) => exchange.send(made),
      (error: unknown) => exchange.fail(error),
    )
  }
}
