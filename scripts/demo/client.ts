// A client as any other: HTTP with keep-alive, a limited number of requests in flight, and a clock.
import http from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Reply<Body> {
  readonly status: number
  readonly body: Body
  readonly isReplayed: boolean
  /** From sending the request to having read the whole answer. */
  readonly ms: number
}

export interface Client {
  post<Body>(path: string, body: unknown, requestId: string): Promise<Reply<Body>>
  close(): void
}

const MOST_REPEATS = 20

/** Makes a client of the API at `origin` that calls with an API key and up to `inFlight` connections. */
export function createClient(origin: string, key: string, inFlight: number): Client {
  const agent = new http.Agent({ keepAlive: true, maxSockets: inFlight })
  const authorization = `Bearer ${key}`

  function send(method: string, path: string, headers: http.OutgoingHttpHeaders, body?: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = http.request(`${origin}${path}`, { method, agent, headers: { authorization, ...headers } })
      request.on('error', reject)
      request.on('response', (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString(),
          })
        })
      })
      request.end(body)
    })
  }

  return {
    async post<Body>(path: string, body: unknown, requestId: string) {
      const text = JSON.stringify(body)
      const headers = {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
        'x-request-id': requestId,
      }
      for (let turn = 1; ; turn++) {
        const begun = performance.now()
        const answer = await send('POST', path, headers, text)
        const ms = performance.now() - begun
        if (answer.status === 202) {
          const isReplayed = answer.headers['idempotency-replayed'] === 'true'
          return { status: answer.status, body: JSON.parse(answer.text) as Body, isReplayed, ms }
        }
        // The door may be shut for a while (429, 503), and says for how long.
        const wait = Number(answer.headers['retry-after'])
        if (![429, 503].includes(answer.status) || turn > MOST_REPEATS) throw refused('POST', path, answer)
        await sleep(1_000 * (wait > 0 ? wait : 1))
      }
    },
    close: () => agent.destroy(),
  }
}

interface Answer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly text: string
}

function refused(method: string, path: string, { status, text }: Answer): Error {
  return new Error(`${method} ${path} was answered with ${status}: ${text.slice(0, 1_000)}`)
}

/** Does `work` for every item, `atOnce` at a time, in order of their begin. The first failure ends it. */
export async function inParallel<Item>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = items.values()
  const worker = async (): Promise<void> => {
    for (const item of queue) await work(item)
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}
