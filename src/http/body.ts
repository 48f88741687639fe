/** Reads the bytes of a body within bounds: whole, or line by line as they arrive. */

import type { Call } from './call.ts'
import { Problem } from './problem.ts'

/** Bytes as they come in: one buffer that grows, so that many small pieces take no more than their bytes twice. */
class Gathered {
  readonly #most: number
  readonly #hold: (bytes: number) => void
  #buffer = Buffer.alloc(0)
  #length = 0

  /**
   * @param most how many bytes there will be at most
   * @param hold is told by how many bytes the buffer grows; what it throws, `add` throws
   */
  constructor(most: number, hold: (bytes: number) => void) {
    this.#most = most
    this.#hold = hold
  }

  add(chunk: Buffer): void {
    const needed = this.#length + chunk.length
    if (needed > this.#buffer.length) {
      const size = Math.max(needed, Math.min(this.#most, Math.max(this.#buffer.length * 2, FIRST_BYTES)))
      this.#hold(size - this.#buffer.length)
      const larger = Buffer.allocUnsafeSlow(size)
      this.#buffer.copy(larger, 0, 0, this.#length)
      this.#buffer = larger
    }
    chunk.copy(this.#buffer, this.#length)
    this.#length = needed
  }

  get length(): number {
    return this.#length
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }

  /** Gives a copy of the bytes, and begins anew. */
  taken(): Buffer {
    const copy = Buffer.from(this.bytes)
    this.#length = 0
    return copy
  }
}

const FIRST_BYTES = 4_096

/**
 * Reads the whole body, and gives it to `done`, or what is wrong with it to `failed`; to one of them, once.
 * A body that is too large is read no further; what still arrives is thrown away, so that the client gets its answer.
 * By events and without a promise: an async iterator per body was 3 % of the api's time.
 *
 * @param atMost bytes
 * @throws Problem request-too-large or unsupported-media-type (compressed), by the head alone
 */
export function collectBody(
  call: Call,
  atMost: number,
  done: (body: Buffer) => void,
  failed: (error: unknown) => void,
): void {
  checkBodyHead(call, atMost)
  const { request } = call
  const announced = Number(call.header('content-length') ?? Number.NaN)
  let gathered: Gathered | undefined
  let isOver = false
  const finish = (body: Buffer): void => {
    if (isOver) return
    isOver = true
    done(body)
  }
  const fail = (error: unknown): void => {
    if (isOver) return
    isOver = true
    gathered = undefined
    failed(error)
  }
  let total = 0
  request.on('data', (chunk: Buffer) => {
    total += chunk.length
    if (isOver) return
    if (total > atMost) {
      fail(tooLarge(atMost))
      return
    }
    try {
      // Most bodies come in one piece, which need not be copied.
      if (chunk.length === announced) {
        call.hold(chunk.length)
        finish(chunk)
        return
      }
      gathered ??= new Gathered(announced || atMost, (bytes) => call.hold(bytes))
      gathered.add(chunk)
    } catch (error) {
      fail(error)
    }
  })
  request.once('end', () => finish(gathered?.bytes ?? Buffer.alloc(0)))
  const brokeOff = (cause?: unknown): void => {
    // Every request closes, and making an error takes longer than all else here.
    if (!isOver) fail(new Problem('malformed-request', 'the body broke off', { cause }))
  }
  request.once('error', brokeOff)
  request.once('close', () => brokeOff())
}

/**
 * Reads the whole body.
 * @throws Problem as `collectBody` tells, or malformed-request when it breaks off
 */
export function readBody(call: Call, atMost: number): Promise<Buffer> {
  return new Promise((resolve, reject) => collectBody(call, atMost, resolve, reject))
}

/** A line, or as much of one as a line may have. */
export interface Line {
  readonly bytes: Buffer
  readonly isWhole: boolean
}

/**
 * Reads the body line by line, all lines at once that have arrived; a line ends with LF or CR LF, and blank ones are left
 * out. Reading goes no faster than the lines are taken.
 *
 * @param atMost bytes of the whole body
 * @param lineAtMost bytes of one line; of a longer one the rest is left out
 */
export async function* readLines(call: Call, atMost: number, lineAtMost: number): AsyncGenerator<Line[]> {
  /** The beginning of a line whose end has not arrived; one byte more than allowed tells that it is too long. */
  const begun = new Gathered(lineAtMost + 1, () => undefined)
  const begin = (part: Buffer): void => begun.add(part.subarray(0, lineAtMost + 1 - begun.length))
  const lines: Line[] = []
  const add = (line: Buffer): void => {
    if (line.some(isVisible)) lines.push({ bytes: line.subarray(0, lineAtMost), isWhole: line.length <= lineAtMost })
  }
  for await (const chunk of chunksOf(call, atMost)) {
    let from = 0
    for (let at = chunk.indexOf(0x0a); at !== -1; at = chunk.indexOf(0x0a, from)) {
      const part = chunk.subarray(from, at)
      from = at + 1
      if (begun.length === 0) add(part)
      else {
        begin(part)
        add(begun.taken())
      }
    }
    begin(chunk.subarray(from))
    if (lines.length > 0) yield lines.splice(0)
  }
  add(begun.taken())
  if (lines.length > 0) yield lines
}

const isVisible = (byte: number): boolean => byte !== 0x20 && byte !== 0x0d && byte !== 0x09

/**
 * Refuses what the head already tells to be unreadable; for those that answer while they read.
 * @throws Problem request-too-large or unsupported-media-type
 */
export function checkBodyHead(call: Call, atMost: number): void {
  const encoding = call.header('content-encoding')
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new Problem('unsupported-media-type', 'the body is compressed: send it without Content-Encoding')
  }
  if (Number(call.header('content-length') ?? 0) > atMost) throw tooLarge(atMost)
}

const tooLarge = (atMost: number): Problem =>
  new Problem('request-too-large', `the body is larger than ${atMost} bytes`)

async function* chunksOf(call: Call, atMost: number): AsyncGenerator<Buffer> {
  checkBodyHead(call, atMost)
  const { request } = call
  let total = 0
  try {
    // Leaving the loop must not destroy the stream: that would close the connection before the answer is sent.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      total += chunk.length
      if (total > atMost) throw tooLarge(atMost)
      call.hold(chunk.length)
      yield chunk
    }
  } catch (error) {
    if (error instanceof Problem) throw error
    throw new Problem('malformed-request', 'the body broke off', { cause: error })
  } finally {
    request.resume()
  }
}
