/** What clients may send to the gateway and what it answers. The OpenAPI document is made from these. */

import { DURATION_PATTERN } from 'nightshift-tasks'
import { z } from 'zod'
import { STATUSES } from '../core/states.ts'

export const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/

const duration = z
  .string()
  .regex(DURATION_PATTERN, 'must be a whole number and a unit, such as 500ms, 10s, 5m, 2h or 30d')

export const submissionSchema = z.strictObject({
  name: z.string().min(1).max(100).meta({ description: 'The task type.' }),
  payload: z.unknown().meta({ description: 'What the task type asks for; stored as it is sent. Not null.' }),
  runAt: z.iso
    .datetime({ offset: true, error: 'must be an ISO 8601 date and time with an offset, such as 2030-01-31T09:00:00Z' })
    .optional()
    .meta({ description: 'Not before this moment. Not together with `delay`.' }),
  delay: duration.optional().meta({ description: 'Not before this long from now, such as `10m`.' }),
  expiresAfter: duration.optional().meta({ description: 'Ends as FAILED (expired) if it has not begun by then.' }),
  queue: z.string().min(1).max(64).optional().meta({ description: "The work queue; without it, the task type's own." }),
  maxAttempts: z.int().min(1).max(100).optional().meta({ description: 'How many charged attempts it has.' }),
  tags: z.array(z.string().min(1).max(100)).max(20).optional().meta({ description: 'Words to find it by.' }),
  userId: z.string().min(1).max(200).optional().meta({ description: 'Whose it is, for `my-tasks`.' }),
})
export type Submission = z.output<typeof submissionSchema>

export const batchItemSchema = submissionSchema.extend({
  key: z
    .string()
    .regex(IDEMPOTENCY_KEY, 'must be 1-255 visible ASCII characters')
    .optional()
    .meta({ description: 'The idempotency key of this item; stands in its answer too.' }),
})

export const acceptedSchema = z.object({
  id: z.uuid(),
  status: z.enum(STATUSES).meta({ description: 'PENDING, or of a repeat where the task stands now.' }),
  statusUrl: z.string(),
  requestId: z.string().meta({ description: 'Of the request that was accepted first, when this one repeats it.' }),
  traceId: z.string(),
  ahead: z.int().optional().meta({ description: 'How many tasks of the queue wait before it; absent when not known.' }),
  estimatedStart: z.iso.datetime().optional().meta({
    description: 'When it will begin at the pace of now; absent when there is no basis for saying.',
  }),
  confirmed: z.boolean().optional().meta({
    description:
      'Only in the accept modes that wait for it: whether the broker confirmed within 2 s. False loses nothing.',
  }),
})

export const operationSchema = z.strictObject({
  reason: z.string().min(1).max(500).optional().meta({ description: 'Kept in the history of the task.' }),
})

export const operatedSchema = z.object({
  id: z.uuid(),
  status: z.enum(['PENDING', 'CANCELLED']),
  statusUrl: z.string(),
  requestId: z.string(),
})
