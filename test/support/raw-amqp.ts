// Publishes AMQP 0-9-1 messages byte by byte, with header tables that no client library would send: amqplib refuses
// more than 64 KiB. https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, sections 2.3 and 4.2
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface RawMessage {
  readonly exchange?: string
  readonly routingKey: string
  readonly body: Buffer | string
  /** The fields of the header table, without its length: see `field`. */
  readonly headers: Buffer
  readonly contentType?: string
}

const [METHOD, HEADER, BODY] = [1, 2, 3] as const
const FRAME_END = 0xce
const FRAME_MAX = 131_072
const CONTENT_TYPE_AND_HEADERS = 0x8000 | 0x2000

/** Publishes one message and resolves when the broker has confirmed it. Rejects when it refuses or closes. */
export async function publishBytes(url: string, message: RawMessage): Promise<void> {
  const { hostname, port, username, password, pathname } = new URL(url)
  const socket = connect(Number(port), hostname)
  try {
    const answers = methodsFrom(socket)
    const ask = async (channel: number, classId: number, methodId: number, body: Buffer, expected: string) => {
      socket.write(method(channel, classId, methodId, body))
      await expect(answers, expected)
    }
    await once(socket, 'connect')
    socket.write(Buffer.from('AMQP\0\0\x09\x01', 'latin1'))
    await expect(answers, '10.10')
    const login = longString(`\0${decodeURIComponent(username)}\0${decodeURIComponent(password)}`)
    await ask(0, 10, 11, Buffer.concat([int32(0), shortString('PLAIN'), login, shortString('en_US')]), '10.30')
    socket.write(method(0, 10, 31, Buffer.concat([int16(1), int32(FRAME_MAX), int16(0)])))
    const vhost = decodeURIComponent(pathname.slice(1)) || '/'
    await ask(0, 10, 40, Buffer.concat([shortString(vhost), shortString(''), int8(0)]), '10.41')
    await ask(1, 20, 10, shortString(''), '20.11')
    await ask(1, 85, 10, int8(0), '85.11')
    socket.write(contentOf(message))
    await expect(answers, '60.80')
  } finally {
    socket.destroy()
  }
}

/** Encodes what a broker says when it blocks those who publish, or lets them again when there is no reason. */
export function blockedFrame(reason?: string): Buffer {
  return reason === undefined ? method(0, 10, 61, Buffer.alloc(0)) : method(0, 10, 60, shortString(reason))
}

/**
 * Encodes one field of a table.
 *
 * @param type  the one-letter type, such as 'S' (long string), 'F' (table), 'x' (bytes), 'V' (nothing)
 */
export function field(name: string, type: string, value: Buffer): Buffer {
  return Buffer.concat([shortString(name), Buffer.from(type, 'latin1'), value])
}

/** Encodes a table or a long string: both are a length and bytes. */
export function longString(bytes: Buffer | string): Buffer {
  const content = Buffer.from(bytes)
  return Buffer.concat([int32(content.length), content])
}

/** Encodes a field with `levels` tables, one inside the other. */
export function nestedTables(levels: number): Buffer {
  let inner: Buffer = Buffer.alloc(0)
  for (let level = 0; level < levels; level++) inner = field('t', 'F', longString(inner))
  return inner
}

function contentOf({ exchange = '', routingKey, body, headers, contentType = 'application/json' }: RawMessage): Buffer {
  const content = Buffer.from(body)
  const publish = Buffer.concat([int16(0), shortString(exchange), shortString(routingKey), int8(0)])
  const size = Buffer.alloc(8)
  size.writeBigUInt64BE(BigInt(content.length))
  const properties = Buffer.concat([int16(CONTENT_TYPE_AND_HEADERS), shortString(contentType), longString(headers)])
  const header = frame(HEADER, 1, Buffer.concat([int16(60), int16(0), size, properties]))
  const bodies: Buffer[] = []
  for (let at = 0; at < content.length; at += FRAME_MAX - 8) {
    bodies.push(frame(BODY, 1, content.subarray(at, at + FRAME_MAX - 8)))
  }
  return Buffer.concat([method(1, 60, 40, publish), header, ...bodies])
}

async function expect(answers: AsyncGenerator<Answer, void>, expected: string): Promise<void> {
  const { value } = await answers.next()
  const got = value ? `${value.name} ${value.text}` : 'a closed connection'
  if (value?.name !== expected) throw new Error(`the broker answered with ${got} instead of ${expected}`)
}

interface Answer {
  /** Class and method, as in 60.80 for basic.ack. */
  readonly name: string
  readonly text: string
}

async function* methodsFrom(socket: Socket): AsyncGenerator<Answer, void> {
  let waiting: Buffer = Buffer.alloc(0)
  for await (const chunk of socket) {
    waiting = Buffer.concat([waiting, chunk as Buffer])
    while (waiting.length >= 7 && waiting.length >= waiting.readUInt32BE(3) + 8) {
      const end = waiting.readUInt32BE(3) + 8
      const payload = waiting.subarray(7, end - 1)
      const type = waiting[0]
      waiting = waiting.subarray(end)
      if (type !== METHOD) continue
      const name = `${payload.readUInt16BE(0)}.${payload.readUInt16BE(2)}`
      yield {
        name,
        text: payload
          .subarray(4)
          .toString('latin1')
          .replace(/[^ -~]+/g, ' '),
      }
    }
  }
}

function method(channel: number, classId: number, methodId: number, body: Buffer): Buffer {
  return frame(METHOD, channel, Buffer.concat([int16(classId), int16(methodId), body]))
}

function frame(type: number, channel: number, payload: Buffer): Buffer {
  return Buffer.concat([int8(type), int16(channel), int32(payload.length), payload, int8(FRAME_END)])
}

function shortString(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([int8(bytes.length), bytes])
}

function int8(value: number): Buffer {
  return Buffer.from([value])
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
