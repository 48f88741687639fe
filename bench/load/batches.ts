// Posts NDJSON batches to Nightshift and counts what was accepted.
import http from 'node:http'
import { text } from 'node:stream/consumers'

export interface Batches {
  readonly url: string
  /** One task, as it stands in every line. */
  readonly line: string
  readonly count: number
  readonly perCall: number
  readonly atOnce: number
}

/** Resolves with the seconds it took. Rejects when one item is refused. */
export async function postBatches({ url, line, count, perCall, atOnce }: Batches): Promise<number> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: atOnce })
  const begun = performance.now()
  let left = count
  async function one(): Promise<void> {
    while (left > 0) {
      const items = Math.min(perCall, left)
      left -= items
      const accepted = await post(agent, url, `${line}\n`.repeat(items))
      if (accepted !== items) throw new Error(`a batch of ${items} was accepted for ${accepted}`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, one))
  agent.destroy()
  return (performance.now() - begun) / 1_000
}

async function post(agent: http.Agent, url: string, body: string): Promise<number> {
  const headers = { 'content-type': 'application/x-ndjson', 'content-length': Buffer.byteLength(body) }
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http.request(url, { method: 'POST', agent, headers }, resolve).once('error', reject).end(body)
  })
  const answer = await text(response)
  if (response.statusCode !== 202)
    throw new Error(`a batch was answered ${response.statusCode}: ${answer.slice(0, 500)}`)
  return answer.split('"accepted":true').length - 1
}
