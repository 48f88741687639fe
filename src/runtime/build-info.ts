/** Which build this is: in the history of attempts, in the metrics and by `--version`. */
import { existsSync, readFileSync } from 'node:fs'

const PACKAGE = new URL('../../package.json', import.meta.url)
/** Written when an image is built, see Dockerfile; a checkout has none. */
const BUILD = new URL('../../build.json', import.meta.url)

/** The version of package.json. */
export const VERSION = (JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string }).version

/** The commit an image was built from, else `unknown`. */
export const COMMIT = existsSync(BUILD)
  ? (JSON.parse(readFileSync(BUILD, 'utf8')) as { commit: string }).commit
  : 'unknown'
