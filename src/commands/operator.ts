/** Who runs a command, for the log of operations. */
import { userInfo } from 'node:os'

/** The user of this process; by its number where that has no name, as in a container that runs under any uid. */
export function operatorName(): string {
  try {
    return `cli:${userInfo().username}`
  } catch {
    return `cli:uid ${process.getuid?.() ?? 'unknown'}`
  }
}
