// What tracing costs: the whole way as in `end-to-end`, without it, with the traces of 1 % of all requests, and of all.
import { endToEnd } from './end-to-end.ts'
import type { Measure } from './measure.ts'

export const tracing: Measure = {
  systems: ['nightshift', 'nightshift-traced-1', 'nightshift-traced-100'],
  run: endToEnd.run,
}
