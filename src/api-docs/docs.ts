/** `/openapi.json` and `/docs`. Made once, when the routes are known. */

import { z } from 'zod'
import type { Contracts } from '../core/task-types.ts'
import { type Route, route } from '../http/route.ts'
import { DOCS_CSP, docsPage } from './docs-page.ts'
import { type OpenApiOptions, openApiOf } from './openapi.ts'

/**
 * Adds the two routes to those they describe.
 * @param routes all others, in the order in which they are matched
 */
export function withDocs(routes: readonly Route[], contracts: Contracts, options: OpenApiOptions): Route[] {
  const json = route({
    method: 'get',
    path: '/openapi.json',
    isPage: true,
    scopes: [],
    doc: {
      tag: 'Documentation',
      summary: 'This API as OpenAPI 3.1',
      answers: {
        200: { says: 'The document.', schema: { name: 'OpenApi', schema: z.looseObject({ openapi: z.string() }) } },
      },
    },
    answer: async () => ({ status: 200, headers: { 'cache-control': 'public, max-age=60' }, body: document }),
  })
  const page = route({
    method: 'get',
    path: '/docs',
    isPage: true,
    scopes: [],
    doc: {
      tag: 'Documentation',
      summary: 'This API as a page to read',
      answers: {
        200: { says: 'The page.', contents: [{ type: 'text/html', schema: { name: 'Html', schema: z.string() } }] },
      },
    },
    answer: async () => ({
      status: 200,
      headers: { 'content-security-policy': DOCS_CSP, 'cache-control': 'public, max-age=60' },
      content: { type: 'text/html; charset=utf-8', text: html },
    }),
  })
  const all = [...routes, json, page]
  const document = openApiOf(all, contracts, options)
  const html = docsPage(document)
  return all
}
