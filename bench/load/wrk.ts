// The closed loop: always so many requests in flight, for so many seconds. By wrk, which costs little CPU of its own;
// where it is not installed by this repository's own generator, which costs more, so absolute rates are lower then.
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { PEERS_FOLDER } from '../peers/peer.ts'
import type { Target } from '../systems/system.ts'
import { generate } from './generate.ts'
import { PAYLOAD } from './payload.ts'

export interface ClosedLoad {
  readonly target: Target
  readonly inFlight: number
  readonly seconds: number
}

export interface ClosedResult {
  readonly answered: number
  /** Answers that are not 2xx, and broken connections. */
  readonly refused: number
  readonly p50: number
  readonly p99: number
}

const SCRIPT = `
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.body = BODY
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('\\nRESULT {"answered":%d,"refused":%d,"p50":%.3f,"p99":%.3f}\\n', summary.requests,
    e.status + e.connect + e.read + e.write + e.timeout, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
`

/** Tells whether wrk is there. */
const hasWrk: Promise<boolean> = promisify(execFile)('which', ['wrk']).then(
  () => true,
  () => false,
)

/** Runs the load to its end. */
export async function closedLoad({ target, inFlight, seconds }: ClosedLoad): Promise<ClosedResult> {
  if (!(await hasWrk)) return generate({ kind: 'closed', url: target.url, body: bodyText(target), inFlight, seconds })
  const file = join(PEERS_FOLDER, 'post.lua')
  writeFileSync(
    file,
    SCRIPT.replace('BODY', () => `[==[${bodyText(target)}]==]`),
  )
  const args = ['-t1', `-c${inFlight}`, `-d${seconds}s`, '--timeout', '10s', '-s', file, target.url]
  const { stdout } = await promisify(execFile)('wrk', args)
  const line = /^RESULT (.+)$/m.exec(stdout)?.[1]
  if (line === undefined) throw new Error(`wrk did not say what it found:\n${stdout}`)
  return JSON.parse(line) as ClosedResult
}

function bodyText(target: Target): string {
  return JSON.stringify(target.bodyOf(PAYLOAD))
}
