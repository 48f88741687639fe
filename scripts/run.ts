// `make run`: all of Nightshift in one process that restarts when a file is saved, until Ctrl-C.
// Uses the servers of `make up` when they run, or DATABASE_URL and AMQP_URL; else private ones that end with it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { NOTE, upServers } from './demo/keep.ts'
import { ROOT, runCommand } from './demo/platform.ts'
import { own } from './servers/ownership.ts'
import { provideServers } from './servers/servers.ts'

const MAIN = join(ROOT, 'src/main.ts')
const PRETTY = join(ROOT, 'node_modules/pino-pretty/bin.js')

const DEFAULTS = {
  NIGHTSHIFT_HTTP_HOST: '127.0.0.1',
  NIGHTSHIFT_AUTH: 'off',
  NIGHTSHIFT_PACKS: 'conversation,trial',
  NIGHTSHIFT_QUEUES: 'conversations:20,trial:10',
  NIGHTSHIFT_RETRY_LADDER: '1s,2s,4s',
}

try {
  process.exitCode = await run()
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}

async function run(): Promise<number> {
  const servers = (await notedServers()) ?? (await privateServers())
  const env: NodeJS.ProcessEnv = {
    ...DEFAULTS,
    ...process.env,
    DATABASE_URL: servers.databaseUrl,
    AMQP_URL: servers.amqpUrl,
  }
  try {
    console.log(
      await runCommand(['migrate'], {
        DATABASE_URL: servers.databaseUrl,
        NIGHTSHIFT_PACKS: env.NIGHTSHIFT_PACKS ?? '',
      }),
    )
    printHints(env.NIGHTSHIFT_HTTP_PORT ?? '8080', servers)
    return await runAll(env)
  } finally {
    await servers.stop()
  }
}

interface DevServers {
  readonly databaseUrl: string
  readonly amqpUrl: string
  stop(): Promise<void>
}

/** Takes the servers of `make up`, which starts them again if they are gone. */
async function notedServers(): Promise<DevServers | undefined> {
  if (process.env.DATABASE_URL || process.env.AMQP_URL || !existsSync(NOTE)) return undefined
  console.log('using the servers of `make up`')
  return { ...(await upServers()), stop: async () => undefined }
}

function privateServers(): Promise<DevServers> {
  const folder = join(ROOT, '.nightshift/run')
  mkdirSync(folder, { recursive: true })
  return provideServers({ folder: join(folder, `servers-${process.pid}`), log: console.log })
}

/** Runs the role `all` until it ends; a Ctrl-C reaches it too, and it drains by itself. */
async function runAll(env: NodeJS.ProcessEnv): Promise<number> {
  const options = { cwd: ROOT, env }
  const main = spawn(process.execPath, ['--watch', '--watch-preserve-output', MAIN, 'all'], {
    ...options,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const pretty = spawn(process.execPath, [PRETTY, '--singleLine', '--messageKey', 'msg', '--ignore', 'pid,hostname'], {
    ...options,
    // Apart from the terminal's Ctrl-C, so that it still prints how the rest stops.
    detached: true,
    stdio: ['pipe', 'inherit', 'inherit'],
  })
  main.stdout.pipe(pretty.stdin)
  const release = own(() => main.kill('SIGTERM'))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => main.kill('SIGTERM'))
  const [code] = await once(main, 'close')
  release()
  if (pretty.exitCode === null) await once(pretty, 'close')
  return code ?? 0
}

function printHints(port: string, { databaseUrl, amqpUrl }: DevServers): void {
  const origin = `http://127.0.0.1:${port}`
  console.log(`
  API       ${origin}/api/v1/tasks   its description ${origin}/docs
  database  ${databaseUrl}
  broker    ${amqpUrl}

Keys are off, everybody may call. Try it:

  curl -i ${origin}/api/v1/tasks -H 'content-type: application/json' \\
    -d '{"name":"trial.echo","payload":{"hello":"night"}}'

A saved file restarts it; Ctrl-C ends it.
`)
}
