// Writes conversations.ndjson: invented conversations, the same for the same seed. Run it only to change the data.
//
//   node scripts/demo/make-data.ts
import { writeFileSync } from 'node:fs'
import { type ConversationPayload, conversationPayload, type LogEntry } from '../../packs/conversation/src/contract.ts'
import { DATA_FILE } from './data.ts'
import { BOTS, ENDINGS, TOPICS } from './phrases.ts'

const SEED = 20_260_101
const CONVERSATIONS = 3_000
const USERS = 200

const random = randomFrom(SEED)
const lines = Array.from({ length: CONVERSATIONS }, (_, n) =>
  JSON.stringify(conversationPayload.parse(conversation(n))),
)
writeFileSync(DATA_FILE, `${lines.join('\n')}\n`)
console.log(`${lines.length} conversations written`)

function conversation(n: number): ConversationPayload {
  // The square makes some users talk much more than others, so that events of one user do meet.
  const user = Math.floor(random() ** 2 * USERS)
  const favourite = (user * 7) % TOPICS.length
  const warmth = ((user * 13) % 10) / 10 - 0.3
  const log: LogEntry[] = []
  for (let turns = 1 + Math.floor(random() * 2.2); turns > 0; turns--) {
    const topic = TOPICS[random() < 0.5 ? favourite : Math.floor(random() * TOPICS.length)] as (typeof TOPICS)[number]
    const mood = { sentiment: hundredths(warmth + random() - 0.5) }
    log.push({ role: 'user', text: say(topic.asks, topic.things), topic: topic.name, ...(random() < 0.7 && mood) })
    log.push({ role: 'bot', text: say(topic.answers, topic.things) })
  }
  if (random() < 0.6) {
    const [text, sentiment] = ENDINGS[place(warmth + random() - 0.5)] as (typeof ENDINGS)[number]
    log.push({ role: 'user', text, sentiment })
  }
  return {
    conversation_id: `conversation-${String(n + 1).padStart(5, '0')}`,
    user_id: `user-${String(user + 1).padStart(3, '0')}`,
    bot_id: pick(BOTS),
    conversation_log: log,
  }
}

function say(sentences: readonly string[], things: readonly string[]): string {
  const text = pick(sentences).replace('{x}', pick(things))
  return text.charAt(0).toUpperCase() + text.slice(1)
}

function pick<Item>(from: readonly Item[]): Item {
  return from[Math.floor(random() * from.length)] as Item
}

function hundredths(value: number): number {
  return Math.round(Math.min(1, Math.max(-1, value)) * 100) / 100 + 0
}

/** Turns a mood into a place in ENDINGS. */
function place(mood: number): number {
  return Math.min(ENDINGS.length - 1, Math.max(0, Math.floor(((mood + 1) / 2) * ENDINGS.length)))
}

/** Makes a source of numbers from 0 to below 1 (mulberry32), good enough to invent conversations. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
