/**
 * `GET /scaling?queues=a,b` on the metrics port: how much work these queues have, for an autoscaler to divide by what one
 * consumer does. What is not known is an error and never a small number: an autoscaler that reads 0 ends the consumers.
 */
import { STATUS_CODES } from 'node:http'
import type { Page, PageAnswer } from '../runtime/metrics-server.ts'
import type { QueueWork } from './figures.ts'

/**
 * Makes the page. It answers 200 with `{queues, backlog, running, value}` where `value` is the sum of both (tasks, 0 or
 * more), 400 without `queues`, 404 for a queue that this deployment does not have, 503 when a figure is not known; errors
 * are problem details (RFC 9457).
 *
 * @param known the queues of this deployment
 * @param look rejects when nothing is known
 */
export function createScalingPage(known: readonly string[], look: () => Promise<ReadonlyMap<string, QueueWork>>): Page {
  return async (query) => {
    const queues = [...new Set(query.getAll('queues').flatMap((list) => list.split(',')))]
      .map((queue) => queue.trim())
      .filter((queue) => queue !== '')
    if (queues.length === 0) {
      return problem(400, `say which queues, such as /scaling?queues=${known[0]}; known are ${known.join(', ')}`)
    }
    const unknown = queues.filter((queue) => !known.includes(queue))
    if (unknown.length > 0) {
      return problem(404, `there is no queue ${unknown.join(', ')} here; known are ${known.join(', ')}`)
    }
    let work: ReadonlyMap<string, QueueWork>
    try {
      work = await look()
    } catch (error) {
      return problem(503, `the database does not tell how much there is: ${(error as Error).message}`)
    }
    const dark = queues.filter((queue) => work.get(queue)?.backlog === undefined)
    if (dark.length > 0) return problem(503, `the broker does not tell how much waits in ${dark.join(', ')}`)
    const sum = (of: keyof QueueWork): number => queues.reduce((all, queue) => all + (work.get(queue)?.[of] ?? 0), 0)
    const [backlog, running] = [sum('backlog'), sum('running')]
    return json(200, 'application/json', { queues, backlog, running, value: backlog + running })
  }
}

function problem(status: number, detail: string): PageAnswer {
  return json(status, 'application/problem+json', { type: 'about:blank', title: STATUS_CODES[status], status, detail })
}

function json(status: number, type: string, body: unknown): PageAnswer {
  return { status, type, body: JSON.stringify(body) }
}
