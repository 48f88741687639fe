/** Reads RabbitMQ's management API: what cannot be asked over AMQP. https://www.rabbitmq.com/docs/http-api-reference */
import { credentialsOf } from './credentials.ts'

export interface QueueFacts {
  readonly name: string
  /** Absent where the type is told by the argument alone. */
  readonly type?: string
  readonly durable: boolean
  readonly arguments: Readonly<Record<string, unknown>>
  /** What policies, of users and of operators, say together. */
  readonly effective_policy_definition?: Readonly<Record<string, unknown>> | readonly never[] | null
  /** Messages ready and held; absent when the broker does not collect metrics. */
  readonly messages?: number
}

export interface BindingFacts {
  readonly source: string
  readonly destination: string
  readonly routing_key: string
}

export interface Management {
  /** Lists the queues of our virtual host. */
  queues(): Promise<QueueFacts[]>
  /** Reads one queue, as an autoscaler does; its counts may be missing where the list has them. */
  queue(name: string): Promise<QueueFacts>
  bindings(): Promise<BindingFacts[]>
  /** When the broker's machine says it is, whole seconds, by the header of an answer; undefined when it has none. */
  time(): Promise<Date | undefined>
}

const PATIENCE_MS = 5_000

/**
 * Makes the client; it connects to nothing until it is asked. Calls reject within 5 s, and when the answer is not 200.
 *
 * @param url of the API, whose path need not end in `/api`; without user and password those of `amqpUrl` are used
 */
export function createManagement(url: string, amqpUrl: string): Management {
  const base = new URL(url)
  const broker = new URL(amqpUrl)
  const { user, password } = credentialsOf(base.username === '' ? broker : base)
  const headers = { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` }
  const vhost = encodeURIComponent(decodeURIComponent(broker.pathname.slice(1)) || '/')
  const root = `${base.protocol}//${base.host}${base.pathname.replace(/\/+(?:api\/*)?$/, '')}/api`

  async function ask(path: string): Promise<Response> {
    const answer = await fetch(`${root}/${path}`, { headers, signal: AbortSignal.timeout(PATIENCE_MS) })
    if (answer.ok) return answer
    const hint =
      answer.status === 401 ? ': the user needs a right password and the tag `monitoring` or `management`' : ''
    throw new Error(`the management API answered ${answer.status}${hint}`)
  }
  const read = async <Body>(path: string): Promise<Body> => (await (await ask(path)).json()) as Body

  return {
    queues: () => read(`queues/${vhost}`),
    queue: (name) => read(`queues/${vhost}/${encodeURIComponent(name)}`),
    bindings: () => read(`bindings/${vhost}`),
    async time() {
      const date = (await ask('whoami')).headers.get('date')
      return date === null ? undefined : new Date(date)
    },
  }
}
