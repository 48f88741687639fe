// `make images`: builds both images without a Docker engine, says how large they are, and runs them as containers.

import { makeBase } from './base.ts'
import { type BuiltImage, buildImages, commitOf, LAYOUT } from './build.ts'
import { bringPrograms } from './buildah.ts'
import { smoke } from './smoke.ts'

const HELP = `Usage: node scripts/images/main.ts [build]

  build   only build both images; without it they are also run on a real PostgreSQL and RabbitMQ

Needs root on Debian or Ubuntu. What is built stays in .nightshift/images until \`make clean\`.
Where a Docker engine runs, \`docker build\` is the shorter way: see docs/images.md.`

const words = process.argv.slice(2)
if (words.includes('--help') || words.some((word) => word !== 'build')) {
  console.log(HELP)
  process.exitCode = words.includes('--help') ? 0 : 2
} else {
  await run(words.includes('build')).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  })
}

async function run(onlyBuild: boolean): Promise<void> {
  bringPrograms()
  const commit = commitOf()
  const built = await buildImages(await makeBase(console.log), commit, console.log)
  for (const image of built) console.log(sizesOf(image))
  console.log(`both are in ${LAYOUT}, an OCI layout`)
  if (onlyBuild) return
  await smoke(built, commit, console.log)
  console.log('both images work')
}

function sizesOf({ target, compressed, size }: BuiltImage): string {
  return `built ${target}: ${(compressed / 1e6).toFixed(1)} MB to pull, ${size} unpacked`
}
