/**
 * What a conversation is worth, as pure functions of its log, so that the demo and the tests can work out the expected
 * totals by themselves. All sums are of whole numbers: the order of the messages changes nothing, not even a rounding.
 */
import { type LogEntry, logEntry } from './contract.ts'

/** The least and the most one conversation can change a friendship. */
export const LEAST_CHANGE = -10
export const MOST_CHANGE = 15

const MOST_FOR_PRESENCE = 5
const MOST_FOR_MOOD = 10

export interface Score {
  /** A whole number from LEAST_CHANGE to MOST_CHANGE. */
  readonly change: number
  /** How often each topic was named, in topic order, so that rows are always locked in the same order. */
  readonly topics: readonly TopicCount[]
}

export interface TopicCount {
  readonly topic: string
  readonly mentions: number
}

/**
 * Scores a log. An entry that is no message by the contract counts nothing, whatever else it is.
 *
 * - Presence: 1 point for each message of the user, at most 5.
 * - Mood: the mean sentiment of the user's messages that carry one (each rounded to hundredths), times 10, rounded.
 * - The bot's messages earn nothing, whatever their sentiment; without any message of the user the change is 0.
 * - Topics: counted over both sides, trimmed and in lower case; blank ones are left out.
 */
export function scoreOf(entries: readonly unknown[]): Score {
  const log = entries.flatMap((entry) => logEntry.safeParse(entry).data ?? [])
  const fromUser = log.filter(({ role }) => role === 'user')
  return { change: Math.min(fromUser.length, MOST_FOR_PRESENCE) + moodOf(fromUser), topics: topicsOf(log) }
}

function moodOf(fromUser: readonly LogEntry[]): number {
  const hundredths = fromUser.flatMap(({ sentiment }) => (sentiment === undefined ? [] : [Math.round(sentiment * 100)]))
  if (hundredths.length === 0) return 0
  const sum = hundredths.reduce((total, each) => total + each, 0)
  return Math.round((sum * MOST_FOR_MOOD) / (100 * hundredths.length))
}

function topicsOf(log: readonly LogEntry[]): TopicCount[] {
  const mentions = new Map<string, number>()
  for (const entry of log) {
    const topic = entry.topic?.trim().toLowerCase()
    if (topic) mentions.set(topic, (mentions.get(topic) ?? 0) + 1)
  }
  return [...mentions]
    .map(([topic, count]) => ({ topic, mentions: count }))
    .sort((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : 0))
}

export type FriendshipStatus = 'stranger' | 'acquaintance' | 'friend' | 'close_friend'

/** The least score of each status, highest first. */
export const STATUS_FROM: readonly (readonly [FriendshipStatus, number])[] = [
  ['close_friend', 300],
  ['friend', 100],
  ['acquaintance', 20],
]

/** Names the friendship that a score stands for; below the first threshold, a stranger. */
export function statusOf(score: number): FriendshipStatus {
  return STATUS_FROM.find(([, least]) => score >= least)?.[0] ?? 'stranger'
}
