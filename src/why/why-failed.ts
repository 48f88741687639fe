/** Says how attempts ended, and names what an error was about where its text tells for sure. Pure. */
import type { AttemptJson, FailureJson } from '../status/task-json.ts'
import { shortened } from './words.ts'

/** The codes of Node's network errors, each with what it is about: https://nodejs.org/api/errors.html#common-system-errors */
const CAUSES: readonly (readonly [RegExp, (about: string) => string])[] = [
  [/\bECONNREFUSED(?: (\S*[.:]\S*))?/, (about) => `connection refused${about && ` by ${about}`}`],
  [/\bgetaddrinfo ENOTFOUND (\S+)/, (about) => `the host name ${about} is not known`],
  [/\bgetaddrinfo EAI_AGAIN (\S+)/, (about) => `the host name ${about} could not be looked up`],
  [/\bETIMEDOUT(?: (\S*[.:]\S*))?/, (about) => `no answer in time${about && ` from ${about}`}`],
  [/\b(?:EHOSTUNREACH|ENETUNREACH)(?: (\S*[.:]\S*))?/, (about) => `no way to ${about || 'the host'}`],
  [/\bECONNRESET\b|socket hang up|other side closed/, () => 'the connection was cut by the other side'],
]

/** Names the cause of an error: a network fault by what it was about, all else in its own words. */
export function causeOf({ name, message, cause = '' }: FailureJson): string {
  const own = shortened(`${name}: ${message}`)
  for (const [pattern, phrase] of CAUSES) {
    const match = pattern.exec(`${cause}\n${message}`)
    if (match) return `${phrase((match[1] ?? '').replace(/[.:;,)]+$/, ''))} (${own})`
  }
  return own
}

/**
 * Says how attempts from `first` to `last` ended, which did so alike or are one and the same, for example
 * `attempt 2 failed: connection refused by 10.0.0.7:9200 (…)`.
 */
export function alikeEndOf(first: AttemptJson, last: AttemptJson): string {
  if (first === last) return `attempt ${first.attempt} ${howItEnded(first)}`
  return `attempts ${first.attempt} ${last.attempt - first.attempt === 1 ? 'and' : 'to'} ${last.attempt} each ${howItEnded(last)}`
}

/** Whether two attempts ended alike, so that one clause can say both. */
export function endedAlike(a: AttemptJson, b: AttemptJson): boolean {
  if (a.outcome !== b.outcome || a.errorFingerprint !== b.errorFingerprint) return false
  return a.outcome === 'failure' || howItEnded(a) === howItEnded(b)
}

function howItEnded({ outcome, error, errorFingerprint, consumer, consumerEnded }: AttemptJson): string {
  switch (outcome) {
    case 'success':
      return 'succeeded'
    case 'cancelled':
      return 'was stopped by the cancel'
    case 'failure':
      if (error === null) return 'failed; its error was not kept'
      return isDeadline(error) ? 'passed its deadline' : `failed: ${causeOf(error)}`
    case 'crash':
      if (errorFingerprint === 'consumer-died' && error?.message.includes('deadline'))
        return `passed its deadline and consumer ${consumer} did not end it, so it was taken back`
      if (consumerEnded === 'silent')
        return `ended when consumer ${consumer} fell silent (killed, out of memory or cut off), not charged`
      return `ended when consumer ${consumer} died or lost its lease, not charged`
    case 'handed_back':
      if (consumerEnded === 'told_to_stop')
        return `ended when consumer ${consumer} was told to stop (scale-down, deploy or restart), not charged`
      if (consumerEnded === 'lease_lost')
        return `ended when consumer ${consumer} lost its lease (it did not reach the database in time), not charged`
      if (error?.name === 'OurOutage') return 'was given back because our own database went away under it, not charged'
      return error === null
        ? 'was given back, not charged; the facts do not tell why'
        : `was given back, not charged: ${causeOf(error)}`
  }
}

const isDeadline = ({ name, message }: FailureJson): boolean =>
  name === 'Aborted' && message === 'the attempt passed its deadline'
