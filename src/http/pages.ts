/**
 * Pages for people, and the only door of express: the routes that say `isPage`. It gets what the router does not know, so
 * a call of the API never goes through it.
 */
import express from 'express'
import type { HttpExchange } from './exchange.ts'
import type { Route } from './route.ts'
import { allowOf } from './router.ts'

export interface PagesOptions {
  readonly routes: readonly Route[]
  readonly answer: (page: Route, exchange: HttpExchange) => void
  readonly otherMethod: (allow: string, exchange: HttpExchange) => void
  readonly nothingHere: (exchange: HttpExchange) => void
  readonly fail: (error: unknown, exchange: HttpExchange) => void
}

type Response = express.Response<unknown, { exchange: HttpExchange }>

/** Makes the function that serves them, or says that nothing is there. */
export function createPages({
  routes,
  answer,
  otherMethod,
  nothingHere,
  fail,
}: PagesOptions): (exchange: HttpExchange) => void {
  const app = express()
  for (const setting of ['x-powered-by', 'etag', 'query parser']) app.disable(setting)
  app.enable('case sensitive routing')
  app.enable('strict routing')
  for (const [path, onPath] of Map.groupBy(routes, ({ path }) => path)) {
    const place = app.route(path)
    for (const page of onPath) place[page.method]((_request, { locals }: Response) => answer(page, locals.exchange))
    place.all((_request, { locals }: Response) => otherMethod(allowOf(onPath), locals.exchange))
  }
  app.use((_request, { locals }: Response) => nothingHere(locals.exchange))
  // Express knows an error handler by its four parameters.
  app.use((error: unknown, _request: express.Request, { locals }: Response, _next: express.NextFunction) => {
    fail(error, locals.exchange)
  })
  return (exchange) => app(exchange.request, Object.assign(exchange.response, { locals: { exchange } }))
}
