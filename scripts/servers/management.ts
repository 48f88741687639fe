// Speaks RabbitMQ's management API: a call takes milliseconds, where rabbitmqctl takes one or two seconds.
// https://www.rabbitmq.com/docs/http-api-reference
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'

export interface Management {
  /** Sends one request. Rejects unless the answer is 2xx; resolves with the parsed body, undefined when it is empty. */
  call(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<unknown>
  /** Creates a virtual host, open to the user, and returns its name. */
  addVhost(name: string): Promise<void>
  /** Removes a virtual host with all its queues, and closes its connections. */
  dropVhost(name: string): Promise<void>
}

const ANSWER_WITHIN_MS = 20_000

/**
 * Creates a client.
 *
 * @param url  with user and password, as in http://guest:guest@127.0.0.1:15672
 */
export function createManagement(url: string): Management {
  const { hostname, port, username, password } = new URL(url)
  const user = decodeURIComponent(username)
  const auth = `${user}:${decodeURIComponent(password)}`
  const headers = { 'content-type': 'application/json' }

  async function call(method: string, path: string, body?: unknown): Promise<unknown> {
    // No agent, so no connection stays open: a stopping RabbitMQ would wait 5 s for it.
    const sending = request({
      hostname,
      port,
      method,
      path: `/api/${path}`,
      auth,
      headers,
      agent: false,
      timeout: ANSWER_WITHIN_MS,
    })
    sending.once('timeout', () => sending.destroy(new Error(`no answer within ${ANSWER_WITHIN_MS} ms`)))
    sending.end(body === undefined ? undefined : JSON.stringify(body))
    const [response] = (await once(sending, 'response')) as [IncomingMessage]
    const answer = await text(response)
    const status = response.statusCode ?? 0
    if (status < 200 || status > 299) throw new Error(`RabbitMQ answered ${method} ${path} with ${status}: ${answer}`)
    return answer === '' ? undefined : JSON.parse(answer)
  }

  return {
    call,
    async addVhost(name) {
      const vhost = encodeURIComponent(name)
      await call('PUT', `vhosts/${vhost}`)
      const all = { configure: '.*', write: '.*', read: '.*' }
      await call('PUT', `permissions/${vhost}/${encodeURIComponent(user)}`, all)
    },
    async dropVhost(name) {
      await call('DELETE', `vhosts/${encodeURIComponent(name)}`)
    },
  }
}
