// Runs buildah, which builds images without an engine. Its storage is private: .nightshift/images, gone with `make clean`.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { canInstall, install } from '../apt.ts'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
/** Everything that is built here. */
export const STATE = join(ROOT, '.nightshift/images')

export const STORAGE = [
  ...['--root', join(STATE, 'storage'), '--runroot', join(STATE, 'run')],
  ...['--storage-driver', process.env.STORAGE_DRIVER ?? 'overlay'],
]

const PROGRAMS = ['buildah', 'debootstrap', 'runc']
/** What debootstrap checks the signatures of Debian with; Ubuntu has it as a package too. */
const KEYRING = 'debian-archive-keyring'
const FOLDERS = ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/usr/share/keyrings']

/** Brings the programs that building and running take. @throws Error that tells the way by Docker if it cannot */
export function bringPrograms(): void {
  const isThere = (name: string) =>
    FOLDERS.some((folder) => existsSync(join(folder, name)) || existsSync(join(folder, `${name}.gpg`)))
  const missing = [...PROGRAMS, KEYRING].filter((name) => !isThere(name))
  if (process.getuid?.() === 0 && missing.length === 0) return
  if (!canInstall()) {
    throw new Error(
      `without a Docker engine the images are built as root on Debian or Ubuntu, by ${PROGRAMS.join(', ')}.\n` +
        'With one: docker build --target api -t nightshift-api . (docs/images.md)',
    )
  }
  console.log(`installing ${missing.join(', ')} with apt-get, once`)
  install(missing)
}

/** Runs buildah on the private storage; returns what it printed, without the last line break. */
export function buildah(...args: string[]): Promise<string> {
  mkdirSync(STATE, { recursive: true })
  return runProgram('buildah', [...STORAGE, ...args])
}

/**
 * Runs a program in the root of the repository to its end and returns its standard output, without the last line break.
 *
 * @throws Error with the end of its standard error when it fails
 */
export async function runProgram(command: string, args: readonly string[]): Promise<string> {
  // chroot, because the other ways need more of the kernel than a virtual machine or a build server may allow.
  const env = { ...process.env, BUILDAH_ISOLATION: 'chroot' }
  const child = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<number>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve(code ?? -1))
  })
  const [code, output, complaint] = await Promise.all([ended, text(child.stdout), text(child.stderr)])
  if (code === 0) return output.trimEnd()
  const last = `${output}\n${complaint}`.trim().split('\n').slice(-25).join('\n')
  throw new Error(`${command} ${args.join(' ')}\nended with ${code}:\n${last}`)
}
