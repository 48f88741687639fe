/** `GET /api/v1/bursts`: who asked for how much, the table that an engineer on call wants first. */
import { z } from 'zod'
import { SINCE_RULE, type Since, sinceOf } from '../core/since.ts'
import { type Route, route } from '../http/route.ts'
import type { Db } from '../store/db.ts'
import { databaseTime } from '../store/reads/database-time.ts'
import { readBursts } from '../store/upkeep/bursts.ts'

const query = z.strictObject({
  since: z
    .string()
    .refine((text) => sinceOf(text) !== undefined, SINCE_RULE)
    .optional()
    .meta({ description: 'How long ago, such as `2h`, or a moment; without it the last hour. Kept for a day.' }),
})

const burstSchema = z.object({
  client: z.string(),
  task: z.string(),
  accepted: z.int(),
  refused: z.int().meta({ description: 'Answered 429.' }),
  peak: z.int().meta({ description: 'The most requests in ten seconds.' }),
  peakAt: z.iso.datetime(),
  first: z.iso.datetime(),
  last: z.iso.datetime(),
})

const MOST_ROWS = 200

/** Makes the route. Counts are up to ten seconds old. */
export function createBurstRoutes(db: Db): Route[] {
  return [
    route({
      method: 'get',
      path: '/api/v1/bursts',
      scopes: ['operate'],
      query,
      doc: {
        tag: 'Operations',
        summary: 'Who floods us: accepted and refused per client and task, the largest first',
        answers: {
          200: {
            says: 'The sums since then, and the largest ten seconds of each.',
            schema: { name: 'Bursts', schema: z.object({ since: z.iso.datetime(), items: z.array(burstSchema) }) },
          },
        },
        problems: ['invalid-parameter', 'unavailable'],
      },
      answer: async (_call, { since: asked = '1h' }) => {
        // Counts are kept by the database's clock.
        const since = (sinceOf(asked) as Since)(await databaseTime(db))
        return { status: 200, body: { since, items: await readBursts(db, since, MOST_ROWS) } }
      },
    }),
  ]
}
