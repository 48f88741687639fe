// Reads the few facts of the Dockerfile that a build without Docker needs.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './buildah.ts'

export interface BaseImage {
  /** With registry and tag, without the digest. */
  readonly name: string
  readonly nodeVersion: string
  /** `sha256:` and 64 hexadecimal digits. */
  readonly digest: string
}

/** Reads which published image the Dockerfile begins with. @throws Error when it is not pinned by version and digest */
export function baseImage(): BaseImage {
  const file = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
  const pinned = /^ARG NODE_IMAGE=(\S+:(\d+\.\d+\.\d+)-bookworm-slim)@(sha256:[0-9a-f]{64})$/m.exec(file)
  const [, name, nodeVersion, digest] = pinned ?? []
  if (!name || !nodeVersion || !digest) {
    throw new Error('Dockerfile: ARG NODE_IMAGE must be <image>:<version>-bookworm-slim@sha256:<digest>')
  }
  return { name, nodeVersion, digest }
}

/** Reads which packs the images load unless they are told otherwise, as `NIGHTSHIFT_PACKS` has them. */
export function imagePacks(): string {
  const [, packs] =
    /^ENV (?:.*\\\n)*.*\bNIGHTSHIFT_PACKS=(\S+)/m.exec(readFileSync(join(ROOT, 'Dockerfile'), 'utf8')) ?? []
  if (packs === undefined) throw new Error('Dockerfile: ENV must set NIGHTSHIFT_PACKS')
  return packs
}
