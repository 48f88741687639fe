// Makes a stand-in for the published base image, for machines that reach no registry of images: Debian by debootstrap,
// the Node that `make setup` brought, and npm. It bears the published image's tag, in the private storage only.
import { copyFileSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { buildah, runProgram, STATE } from './buildah.ts'
import { baseImage } from './dockerfile.ts'

// The one that comes with Node 24.21.0.
const NPM_VERSION = '11.19.0'
// Debian's slim images leave these away too, and of the documentation all but the licences.
const NOT_IN_SLIM = ['usr/share/man', 'usr/share/info', 'usr/share/locale', 'usr/share/lintian']
const LEFT_BY_APT = ['var/cache/apt/archives', 'var/lib/apt/lists', 'var/log/bootstrap.log', 'var/log/dpkg.log']

/** Makes the base image unless it is there already; returns its name. */
export async function makeBase(log: (line: string) => void): Promise<string> {
  const { name, nodeVersion } = baseImage()
  if ((await buildah('images', '--quiet', '--filter', `reference=${name}`)) !== '') return name
  if (process.version !== `v${nodeVersion}`) {
    throw new Error(`the Dockerfile wants Node ${nodeVersion}, but \`make setup\` brought ${process.version}`)
  }
  const files = join(STATE, 'base')
  rmSync(files, { recursive: true, force: true })
  try {
    log('base: installing Debian bookworm (a minute)')
    // From the mirror that debootstrap knows itself.
    await runProgram('debootstrap', ['--variant=minbase', 'bookworm', files])
    for (const path of [...NOT_IN_SLIM, ...LEFT_BY_APT]) rmSync(join(files, path), { recursive: true, force: true })
    await runProgram('find', [
      join(files, 'usr/share/doc'),
      '-not',
      '-type',
      'd',
      '-not',
      '-name',
      'copyright',
      '-delete',
    ])
    log(`base: adding Node ${nodeVersion} and npm ${NPM_VERSION}`)
    const local = join(files, 'usr/local')
    mkdirSync(join(local, 'bin'), { recursive: true })
    copyFileSync(process.execPath, join(local, 'bin/node'))
    await runProgram('npm', ['install', '--global', '--prefix', local, '--no-audit', '--no-fund', `npm@${NPM_VERSION}`])
    log(`base: writing ${name}`)
    const container = await buildah('from', 'scratch')
    await buildah('copy', '--quiet', container, files, '/')
    await buildah('config', '--env', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', container)
    await buildah('config', '--cmd', '["node"]', container)
    await buildah('commit', '--quiet', '--rm', container, name)
  } finally {
    rmSync(files, { recursive: true, force: true })
  }
  return name
}
