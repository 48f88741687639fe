// Installs Debian packages where that is simple: as root on Debian and Ubuntu. Starts no system-wide service.
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'

// Debian asks this script before it starts a service from a package; 101 means "not allowed".
// https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt
const START_POLICY = '/usr/sbin/policy-rc.d'

/** Tells whether `install` can succeed on this machine, as this user. */
export function canInstall(): boolean {
  return process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')
}

/**
 * Installs packages, without those they only recommend.
 *
 * @throws Error with what apt-get said; packages already unpacked stay
 */
export function install(packages: readonly string[]): void {
  const isOurPolicy = !existsSync(START_POLICY)
  if (isOurPolicy) writeFileSync(START_POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    aptGet('update')
    aptGet('install', '-y', '--no-install-recommends', ...packages)
  } finally {
    if (isOurPolicy) rmSync(START_POLICY, { force: true })
  }
}

function aptGet(...args: string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const { status, stdout, stderr } = spawnSync('apt-get', ['-q', ...args], { env, encoding: 'utf8' })
  if (status !== 0) throw new Error(`apt-get ${args.join(' ')} failed (exit ${status}):\n${stdout}${stderr}`)
}
