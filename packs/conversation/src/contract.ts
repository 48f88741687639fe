/**
 * `conversation.ended`: a user and a bot have stopped talking. The whole log is sent once; what follows from it (score,
 * topics, candidates) is worked out by the handler. The log has no limit of its own beside the 256 KiB of every payload:
 * a second one would refuse what fits, or allow what does not.
 */

import { defineTask } from 'nightshift-tasks'
import { z } from 'zod'

const id = z.string().min(1).max(128)

/** One message of the log. Topic and sentiment are what the sender's own analysis found, if it made one. */
export const logEntry = z.looseObject({
  role: z.enum(['user', 'bot']),
  text: z.string().min(1),
  topic: z.string().min(1).max(64).optional().describe('What it is about; upper and lower case are the same topic.'),
  sentiment: z.number().min(-1).max(1).optional().describe('From -1 (hostile) to 1 (warm).'),
  at: z.iso.datetime({ offset: true }).optional().describe('When it was said.'),
})

export type LogEntry = z.output<typeof logEntry>

export const conversationPayload = z.strictObject({
  conversation_id: id,
  user_id: id,
  bot_id: id,
  conversation_log: z
    .array(z.union([logEntry, z.unknown()]))
    .default([])
    .describe(
      'In the order it was said; left out, it is empty. An entry of another shape is kept and counts nothing. ' +
        'The whole payload may have 256 KiB.',
    ),
})

export type ConversationPayload = z.output<typeof conversationPayload>

export const conversationEnded = defineTask({
  name: 'conversation.ended',
  summary:
    'Counts an ended conversation once: friendship score, topics talked about, and the candidates to offer next.',
  payload: conversationPayload,
  queue: 'conversations',
  deadline: '30s',
  effects: 'database',
  idempotencyKey: ({ conversation_id }) => conversation_id,
  userId: ({ user_id }) => user_id,
})
