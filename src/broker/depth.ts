/** Looks at work queues through a connection of its own, because on a blocked publishing connection nothing answers. */
import type { Channel } from 'amqplib'
import type { Log } from '../runtime/log.ts'
import { within } from '../runtime/wait.ts'
import { createLink, type Link } from './link.ts'
import type { Session } from './session.ts'
import { declareTopology, type Topology, workQueue } from './topology.ts'

export interface QueueDepth {
  /** Messages that wait in the queue; those with a consumer are not counted. */
  readonly ready: number
  readonly consumers: number
}

export interface DepthProbe {
  readonly link: Link
  /** Reads the depth of one queue by a passive declaration, or undefined when it cannot be known now. */
  depthOf(queue: string): Promise<QueueDepth | undefined>
}

/** A frozen broker answers nothing until its heartbeat is missed; a look must not wait that long. */
const PATIENCE_MS = 3_000
const silent = (): Error => new Error(`the broker did not answer within ${PATIENCE_MS / 1_000} s`)

export function createDepthProbe(options: { url: string; name: string; log: Log; topology: Topology }): DepthProbe {
  let session: Session | undefined
  let channel: Promise<Channel> | undefined

  const link = createLink({
    ...options,
    onSession: async (fresh) => {
      // A look at a queue that nobody has declared yet would close the channel.
      await declareTopology(fresh, options.topology, options.log)
      session = fresh
      channel = undefined
    },
  })

  function openedBy(owner: Session): Promise<Channel> {
    channel ??= owner.openChannel().then((opened) => {
      // A missing queue closes the channel (404); the next look opens another.
      opened.once('close', () => {
        channel = undefined
      })
      return opened
    })
    channel.catch(() => {
      channel = undefined
    })
    return channel
  }

  async function depthOf(queue: string): Promise<QueueDepth | undefined> {
    if (!session || session.ended.aborted) return undefined
    try {
      const opened = await openedBy(session)
      const found = await within(PATIENCE_MS, opened.checkQueue(workQueue(queue)), silent)
      return { ready: found.messageCount, consumers: found.consumerCount }
    } catch {
      // A missing queue, a closed channel or no answer: the depth is not known, and nobody should guess.
      return undefined
    }
  }

  return { link, depthOf }
}
