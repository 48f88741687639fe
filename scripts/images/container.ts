// Runs a built image as a container by runc, as locked down as Kubernetes' "restricted" level and more: read-only root,
// no writable place at all, the image's user, no capability. It shares the network of this machine.
import { execFileSync, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { own } from '../servers/ownership.ts'
import { buildah, runProgram, STATE, STORAGE } from './buildah.ts'

export interface ImageConfig {
  /** As in USER, such as `10001:10001`. */
  readonly User: string
  readonly Env: readonly string[]
  readonly Entrypoint: readonly string[]
  readonly Cmd: readonly string[]
  readonly WorkingDir: string
  readonly ExposedPorts: Readonly<Record<string, unknown>>
  readonly Labels: Readonly<Record<string, string>>
}

export interface Container {
  readonly name: string
  /** Everything it printed so far. */
  output(): string
  /** Runs a program inside, as `kubectl exec` does, and returns its output. Rejects when it fails. */
  exec(...command: string[]): Promise<string>
  /** Sends SIGTERM to its process 1. */
  terminate(): Promise<void>
  /** Resolves with the exit code of its process 1. */
  readonly ended: Promise<number>
}

export interface Image {
  readonly config: ImageConfig
  /** Starts a container; `words` stand in place of the image's CMD. */
  start(name: string, env: Readonly<Record<string, string>>, words?: readonly string[]): Promise<Container>
  /** Removes all that was started, and the mount. */
  close(): Promise<void>
}

/** A folder for each container that runs: its configuration and what it prints. */
export const BUNDLES = join(STATE, 'bundles')
const RUNC_STATE = ['--root', join(STATE, 'runc')]

/** Makes an image ready to be run. */
export async function openImage(image: string): Promise<Image> {
  const { OCIv1 } = JSON.parse(await buildah('inspect', '--type', 'image', image)) as { OCIv1: { config: ImageConfig } }
  const mounted = await buildah('from', '--pull-never', image)
  const root = await buildah('mount', mounted)
  const names = new Set<string>()
  const removeContainers = () => {
    for (const name of names) execFileSync('runc', [...RUNC_STATE, 'delete', '--force', name], { stdio: 'ignore' })
  }
  const release = own(() => {
    removeContainers()
    execFileSync('buildah', [...STORAGE, 'rm', mounted], { stdio: 'ignore' })
  })

  return {
    config: OCIv1.config,
    async start(name, env, words = OCIv1.config.Cmd) {
      const id = `nightshift-${process.pid}-${name}`
      const bundle = join(BUNDLES, id)
      mkdirSync(bundle, { recursive: true })
      writeFileSync(join(bundle, 'config.json'), JSON.stringify(specOf(root, OCIv1.config, env, words)))
      names.add(id)
      return run(name, id, bundle)
    },
    async close() {
      removeContainers()
      for (const name of names) rmSync(join(BUNDLES, name), { recursive: true, force: true })
      await buildah('rm', mounted)
      release()
    },
  }
}

function run(name: string, id: string, bundle: string): Container {
  const file = join(bundle, 'output.log')
  const log = openSync(file, 'w')
  // Detached, so that Ctrl-C in a terminal reaches only the owner, who then cleans up.
  const child = spawn('runc', [...RUNC_STATE, 'run', '--bundle', bundle, id], {
    stdio: ['ignore', log, log],
    detached: true,
  })
  closeSync(log)
  return {
    name,
    output: () => readFileSync(file, 'utf8'),
    exec: (...command) => runProgram('runc', [...RUNC_STATE, 'exec', id, ...command]),
    terminate: async () => void (await runProgram('runc', [...RUNC_STATE, 'kill', id, 'TERM'])),
    ended: new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', (code) => resolve(code ?? -1))
    }),
  }
}

const HIDDEN = ['/proc/kcore', '/proc/keys', '/proc/timer_list', '/proc/sched_debug', '/sys/firmware']
const FIXED = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger']

/** https://github.com/opencontainers/runtime-spec/blob/main/config.md */
function specOf(root: string, config: ImageConfig, env: Readonly<Record<string, string>>, words: readonly string[]) {
  const [uid, gid] = config.User.split(':').map(Number)
  return {
    ociVersion: '1.0.2',
    process: {
      user: { uid, gid },
      args: [...config.Entrypoint, ...words],
      env: [...config.Env, ...Object.entries(env).map(([key, value]) => `${key}=${value}`)],
      cwd: config.WorkingDir,
      capabilities: {},
      noNewPrivileges: true,
    },
    root: { path: root, readonly: true },
    hostname: 'nightshift',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755'] },
      { destination: '/sys', type: 'none', source: '/sys', options: ['rbind', 'nosuid', 'noexec', 'nodev', 'ro'] },
    ],
    linux: {
      namespaces: ['pid', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
      maskedPaths: HIDDEN,
      readonlyPaths: FIXED,
    },
  }
}
