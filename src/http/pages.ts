/**
 * Pages for people, and the only door of express: the routes that say `isPage`. It gets what the router does not know, so
 * a call of the API never goes through it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import express from 'express'
import type { Head } from './head.ts'
import type { Route } from './route.ts'
import { allowOf } from './router.ts'

/** A request whose head is read. */
export interface Begun {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly head: Head
}

export interface PagesOptions {
  readonly routes: readonly Route[]
  readonly answer: (page: Route, begun: Begun) => void
  readonly otherMethod: (allow: string, begun: Begun) => void
  readonly nothingHere: (begun: Begun) => void
  readonly fail: (error: unknown, begun: Begun) => void
}

type Response = express.Response<unknown, { begun: Begun }>

/** Makes the function that serves them, or says that nothing is there. */
export function createPages({ routes, answer, otherMethod, nothingHere, fail }: PagesOptions): (begun: Begun) => void {
  const app = express()
  for (const setting of ['x-powered-by', 'etag', 'query parser']) app.disable(setting)
  app.enable('case sensitive routing')
  app.enable('strict routing')
  for (const [path, onPath] of Map.groupBy(routes, ({ path }) => path)) {
    const place = app.route(path)
    for (const page of onPath) place[page.method]((_request, { locals }: Response) => answer(page, locals.begun))
    place.all((_request, { locals }: Response) => otherMethod(allowOf(onPath), locals.begun))
  }
  app.use((_request, { locals }: Response) => nothingHere(locals.begun))
  // Express knows an error handler by its four parameters.
  app.use((error: unknown, _request: express.Request, { locals }: Response, _next: express.NextFunction) => {
    fail(error, locals.begun)
  })
  return (begun) => app(begun.request, Object.assign(begun.response, { locals: { begun } }))
}
