/** Random bytes for ids: drawn 8 KiB at a time, because a call into the kernel per id was 7 % of the api's time. */
import { randomFillSync } from 'node:crypto'

const drawn = Buffer.alloc(8_192)
let used = drawn.length

/** Gives cryptographically random bytes that no other caller gets; at most 8 192. */
export function randomBytes(count: number): Buffer {
  if (used + count > drawn.length) {
    randomFillSync(drawn)
    used = 0
  }
  used += count
  return Buffer.from(drawn.subarray(used - count, used))
}
