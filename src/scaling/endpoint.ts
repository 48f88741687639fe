/**
 * `GET /scaling?queues=a,b` on the metrics port: how much work these queues have, for an autoscaler to divide by what one
 * consumer does. What is not known is an error and never a small number: an autoscaler that reads 0 ends the consumers.
 */
import { STATUS_CODES } from 'node:http'
import type { Queues } from '../queues/queues.ts'
import type { Page, PageAnswer } from '../runtime/metrics-server.ts'

/**
 * Makes the page. It answers 200 with `{queues, backlog, running, value}` where `value` is the sum of both (tasks, 0 or
 * more; at most some seconds old), 400 without `queues`, 404 for a queue that this deployment does not have, 503 when a
 * figure is not known now, which the last known one does not replace; errors are problem details (RFC 9457).
 */
export function createScalingPage(queues: Queues): Page {
  const known = queues.names
  return async (query) => {
    const asked = [...new Set(query.getAll('queues').flatMap((list) => list.split(',')))]
      .map((queue) => queue.trim())
      .filter((queue) => queue !== '')
    if (asked.length === 0) {
      return problem(400, `say which queues, such as /scaling?queues=${known[0]}; known are ${known.join(', ')}`)
    }
    const unknown = asked.filter((queue) => !known.includes(queue))
    if (unknown.length > 0) {
      return problem(404, `there is no queue ${unknown.join(', ')} here; known are ${known.join(', ')}`)
    }
    return workOf(queues, asked)
  }
}

function workOf(queues: Queues, asked: readonly string[]): PageAnswer {
  const [outbox, running] = [queues.outbox(), queues.running()]
  if (outbox.state !== 'known' || running.state !== 'known') {
    const why = queues.databaseTrouble ?? 'it has not answered yet'
    return problem(503, `the database does not tell how much there is: ${why}`)
  }
  let backlog = 0
  const dark: string[] = []
  for (const queue of asked) {
    const load = queues.load(queue)
    if (load.state === 'known') backlog += load.value.ready + load.value.due
    else dark.push(queue)
  }
  if (dark.length > 0) return problem(503, `the broker does not tell how much waits in ${dark.join(', ')}`)
  const runs = asked.reduce((sum, queue) => sum + (running.value.get(queue) ?? 0), 0)
  return json(200, 'application/json', { queues: asked, backlog, running: runs, value: backlog + runs })
}

function problem(status: number, detail: string): PageAnswer {
  return json(status, 'application/problem+json', { type: 'about:blank', title: STATUS_CODES[status], status, detail })
}

function json(status: number, type: string, body: unknown): PageAnswer {
  return { status, type, body: JSON.stringify(body) }
}
