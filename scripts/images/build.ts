// Builds both images from the Dockerfile and says how large they are.
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { buildah, ROOT, STATE } from './buildah.ts'

const TARGETS = ['api', 'consumer'] as const
type Target = (typeof TARGETS)[number]

export interface BuiltImage {
  readonly target: Target
  readonly name: string
  /** The digests of its layers, compressed, as a registry has them. */
  readonly layers: readonly string[]
  /** What pulling it takes, in bytes. */
  readonly compressed: number
  /** What it takes unpacked, as buildah says it: "221 MB". */
  readonly size: string
}

/** Where both images are left as an OCI layout, to be loaded or copied elsewhere. */
export const LAYOUT = join(STATE, 'layout')

/** The commit of this checkout, with `-dirty` when it has changes; `unknown` outside of git. */
export function commitOf(): string {
  try {
    const git = (...args: string[]) => execFileSync('git', args, { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' }).trim()
    return git('rev-parse', 'HEAD') + (git('status', '--porcelain') === '' ? '' : '-dirty')
  } catch {
    return 'unknown'
  }
}

/** Builds both targets on `base`. @throws Error with the end of the build's output */
export async function buildImages(base: string, commit: string, log: (line: string) => void): Promise<BuiltImage[]> {
  rmSync(LAYOUT, { recursive: true, force: true })
  const built: BuiltImage[] = []
  for (const target of TARGETS) {
    const name = `localhost/nightshift-${target}:${commit}`
    log(`building ${target}`)
    const settings = ['--build-arg', `NODE_IMAGE=${base}`, '--build-arg', `COMMIT=${commit}`]
    const authorities = process.env.NODE_EXTRA_CA_CERTS
    if (authorities) settings.push('--secret', `id=ca,src=${authorities}`)
    await buildah('build', '--layers', '--pull-never', ...settings, '--target', target, '--tag', name, '.')
    await buildah('push', '--quiet', name, `oci:${LAYOUT}:${target}`)
    const { layers, compressed } = readManifest(target)
    const [entry] = JSON.parse(await buildah('images', '--json', name)) as [{ size: string }]
    built.push({ target, name, layers, compressed, size: entry.size })
  }
  return built
}

interface Descriptor {
  readonly digest: string
  readonly size: number
  readonly annotations?: Readonly<Record<string, string>>
}

/** Reads what a registry would say of an image. https://github.com/opencontainers/image-spec/blob/main/image-layout.md */
function readManifest(target: Target): Pick<BuiltImage, 'layers' | 'compressed'> {
  const read = (...path: string[]) => JSON.parse(readFileSync(join(LAYOUT, ...path), 'utf8'))
  const { manifests } = read('index.json') as { manifests: Descriptor[] }
  const entry = manifests.find(({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] === target)
  if (!entry) throw new Error(`${LAYOUT} has no image ${target}`)
  const { layers } = read('blobs', ...entry.digest.split(':')) as { layers: Descriptor[] }
  return { layers: layers.map(({ digest }) => digest), compressed: layers.reduce((sum, { size }) => sum + size, 0) }
}
