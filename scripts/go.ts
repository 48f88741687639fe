// Brings Go modules: as data, such as schemas, or to build a server from.
import { spawnSync } from 'node:child_process'
import { canInstall, install } from './apt.ts'

/** Each with the checksum that a go.sum would have. */
export const GO_MODULES = {
  'k8s.io/kubernetes': ['v1.36.3', 'h1:qDQdoMiluAE2Eab6Fa52YV+WjiGz9mZFFoagEA6cI+o='],
  'github.com/kedacore/keda/v2': ['v2.20.2', 'h1:SR60v8uIcelbveS8n/1jcl8tLdBBIbHMxmdOHw8tKqA='],
  'github.com/prometheus-operator/prometheus-operator': ['v0.93.1', 'h1:4Juk8v93RdG1DSGD/mGp+SeQKPmnlLIj2iq3blLZgFY='],
  'github.com/jaegertracing/jaeger': ['v1.76.0', 'h1:sWCOOF1dr+NL0PLil7mFo3BqqQL8k4WiM7aguFbc14g='],
} as const

/** Returns the folder of a Go module's files, which the go command keeps in its own cache. */
export function goModule(name: keyof typeof GO_MODULES): string {
  const [version, sum] = GO_MODULES[name]
  const { stdout, stderr } = spawnSync(go(), ['mod', 'download', '-json', `${name}@${version}`], {
    encoding: 'utf8',
    // Outside of any module, so that none is changed; `local` keeps an old go from asking for a newer one.
    cwd: '/',
    env: { ...process.env, GOFLAGS: '-mod=mod', GOTOOLCHAIN: 'local', GO111MODULE: 'on' },
  })
  const answer = stdout?.startsWith('{') ? (JSON.parse(stdout) as { Dir?: string; Sum?: string; Error?: string }) : {}
  if (!answer.Dir) throw new Error(`go could not download ${name}@${version}: ${answer.Error ?? stderr}`)
  if (answer.Sum !== sum) throw new Error(`${name}@${version} has the checksum ${answer.Sum}, not ${sum}`)
  return answer.Dir
}

/** Returns a program go, installing one first if need be. Any will do to download; what builds may need a newer one. */
export function go(): string {
  const found = (): string | undefined =>
    ['go', '/usr/local/go/bin/go'].find((path) => spawnSync(path, ['version']).status === 0)
  const there = found()
  if (there) return there
  if (!canInstall()) throw new Error('Go is needed to bring Go modules: install Go, such as golang-go on Debian')
  install(['golang-go'])
  const installed = found()
  if (!installed) throw new Error('golang-go was installed, but there is no program go')
  return installed
}
