// A link to a virtual host of its own, through a network that a test can break.
import { afterEach, beforeEach, vi } from 'vitest'
import { createLink, type Link } from '../../src/broker/link.ts'
import type { Session } from '../../src/broker/session.ts'
import { createLog } from '../../src/runtime/log.ts'
import { aVhost, type Vhost } from '../support/broker.ts'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { until } from '../support/until.ts'

export interface LinkUnderTest {
  vhost: Vhost
  proxy: FaultProxy
  link: Link
  /** Those that came up, in order. */
  sessions: Session[]
  /** Prepares a session; at once unless a test says otherwise. */
  prepare: (session: Session) => Promise<void>
  /** Milliseconds waited before each new try, at most: the jitter is turned off. */
  waits: number[]
  /** Makes another link instead. */
  linkTo(url: string): void
  untilState(state: Link['state']): Promise<true>
}

/** Has every test of the file begin with a link that is not started. */
export function aLinkForEachTest(): LinkUnderTest {
  const under = {
    linkTo(url) {
      under.link = aLink(under, url)
    },
    untilState: (state) => until(`the link to be ${state}`, async () => under.link.state === state),
  } as LinkUnderTest
  beforeEach(async () => {
    under.vhost = await aVhost()
    under.proxy = await startFaultProxy({ targetPort: Number(new URL(under.vhost.url).port) })
    under.sessions = []
    under.waits = []
    under.prepare = async () => undefined
    vi.spyOn(Math, 'random').mockReturnValue(1)
    // The shortest that AMQP has: a silent broker is noticed after two of them.
    under.linkTo(`${under.proxy.url(under.vhost.url)}?heartbeat=1`)
  })
  afterEach(async () => {
    vi.restoreAllMocks()
    under.proxy.pass()
    await under.link.stop()
    await under.proxy.stop()
    await under.vhost.drop()
  })
  return under
}

function aLink(under: LinkUnderTest, url: string): Link {
  const write = (line: string): void => {
    const { wait_ms: waitMs } = JSON.parse(line) as { wait_ms?: number }
    if (waitMs !== undefined) under.waits.push(waitMs)
  }
  return createLink({
    url,
    name: 'test',
    log: createLog('info', 'test', { write }),
    onSession: (session) => {
      under.sessions.push(session)
      return under.prepare(session)
    },
  })
}
