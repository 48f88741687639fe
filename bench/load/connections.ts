// A plain HTTP/1.1 client on sockets that stay open, one request at a time on each: next to no CPU of its own, so that
// the generator does not take the core that the server needs. Understands only answers with a content-length.
import { connect, type Socket } from 'node:net'

export interface Connections {
  /** Posts JSON and resolves with the status once the whole answer is read. Rejects when the connection breaks. */
  post(body: string): Promise<number>
  close(): void
}

interface Waiting {
  readonly resolve: (status: number) => void
  readonly reject: (error: Error) => void
}

interface Connection {
  readonly socket: Socket
  waiting: Waiting | undefined
  received: string
}

/** Makes a client that opens as many connections as there are requests at the same time. */
export function createConnections(url: string): Connections {
  const { hostname, port, pathname } = new URL(url)
  const idle: Connection[] = []
  const all = new Set<Connection>()

  function open(): Connection {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true })
    const connection: Connection = { socket, waiting: undefined, received: '' }
    all.add(connection)
    const fail = (error: Error): void => {
      all.delete(connection)
      const place = idle.indexOf(connection)
      if (place >= 0) idle.splice(place, 1)
      connection.waiting?.reject(error)
      connection.waiting = undefined
    }
    socket.setEncoding('latin1')
    socket.on('error', fail)
    socket.on('close', () => fail(new Error('the connection was closed')))
    socket.on('data', (piece) => {
      connection.received += piece
      const status = statusOfWhole(connection.received)
      if (status === undefined) return
      connection.received = ''
      const { waiting } = connection
      connection.waiting = undefined
      idle.push(connection)
      waiting?.resolve(status)
    })
    return connection
  }

  return {
    post(body) {
      const connection = idle.pop() ?? open()
      const head = `POST ${pathname} HTTP/1.1\r\nhost: ${hostname}\r\ncontent-type: application/json\r\n`
      connection.socket.write(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
      return new Promise((resolve, reject) => {
        connection.waiting = { resolve, reject }
      })
    },
    close() {
      for (const { socket } of all) socket.destroy()
    },
  }
}

/** @returns undefined while the answer is not complete */
function statusOfWhole(received: string): number | undefined {
  const headEnd = received.indexOf('\r\n\r\n')
  if (headEnd < 0) return undefined
  const length = /\r\ncontent-length: (\d+)/i.exec(received.slice(0, headEnd))?.[1]
  if (length === undefined) throw new Error('an answer has no content-length')
  return received.length < headEnd + 4 + Number(length) ? undefined : Number(received.slice(9, 12))
}
