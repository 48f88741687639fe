/** Reads user and password from a URL, whose percent signs stand for UTF-8 whatever the letters. */
import { unescape as decoded } from 'node:querystring'

export interface Credentials {
  readonly user: string
  readonly password: string
}

/**
 * Gives user and password decoded; those of RabbitMQ's `guest` when the URL has neither. Never throws: a percent sign that
 * begins no code stands for itself.
 */
export function credentialsOf({ username, password }: URL): Credentials {
  if (username === '' && password === '') return { user: 'guest', password: 'guest' }
  return { user: decoded(username), password: decoded(password) }
}
