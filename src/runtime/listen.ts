/** Listens on a port that a setting names, and tells which one when it cannot. */
import type { Server } from 'node:http'
import type { ListenOptions } from 'node:net'

export interface Place {
  readonly host: string
  readonly port: number
  /** The setting that names the port, for the error. */
  readonly setting: string
}

/**
 * Listens.
 * @throws Error naming the setting and the fix when the port is taken or may not be used
 */
export async function listen(server: Server, { host, port, setting }: Place): Promise<void> {
  try {
    await listening(server, { host, port })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE') {
      throw new Error(`port ${port} on ${host} is taken: set ${setting} to a free port, or to 0 for any`, {
        cause: error,
      })
    }
    if (code === 'EACCES') {
      throw new Error(`port ${port} on ${host} may not be used: set ${setting} to 1024 or more`, { cause: error })
    }
    throw new Error(`cannot listen on ${host}:${port} (${setting}): ${message}`, { cause: error })
  }
}

/** Listens on the port, or on a free one when it is taken. Resolves with whether it had to move. */
export async function listenOrMove(server: Server, place: Place): Promise<boolean> {
  try {
    await listening(server, place)
    return false
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    await listen(server, { ...place, port: 0 })
    return true
  }
}

function listening(server: Server, { host, port }: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
