// Loaded before a process (`node --import`): says on standard error every file that is loaded, as `loaded <url>`.

import { writeSync } from 'node:fs'
import { registerHooks } from 'node:module'

registerHooks({
  load(url, context, next) {
    writeSync(2, `loaded ${url}\n`)
    return next(url, context)
  },
})
