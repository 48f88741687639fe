// Makes the servers' disks slower than they are: not all are as kind as a local one, and batching shows its worth there.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const SOURCE = fileURLToPath(new URL('slow-disk.c', import.meta.url))

/**
 * Compiles the library and tells with which environment a server syncs so much slower.
 * The library is removed when this process exits.
 *
 * @param addedMs added to every fsync and fdatasync, milliseconds; 0: nothing is compiled, and the environment is empty
 * @throws Error when there is no C compiler
 */
export function slowDisk(addedMs: number): Readonly<Record<string, string>> {
  if (addedMs === 0) return {}
  // Servers run as users of their own, so the library lies where everybody may read.
  const folder = mkdtempSync(join(tmpdir(), 'nightshift-slow-disk-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  const library = join(folder, 'slow-disk.so')
  try {
    execFileSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, SOURCE, '-ldl'])
  } catch (cause) {
    throw new Error('--fsync-ms needs a C compiler: install Debian package gcc', { cause })
  }
  chmodSync(folder, 0o755)
  return { LD_PRELOAD: library, SLOW_DISK_US: String(Math.round(addedMs * 1_000)) }
}
