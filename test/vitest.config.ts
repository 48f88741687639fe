// Two kinds of tests. `unit`: no server, files side by side. `live`: real PostgreSQL and RabbitMQ, one file at a
// time, because many of them stop or freeze processes and measure what happens within seconds.
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const LIVE = 'test/**/*.live.test.ts'

export default defineConfig({
  root: ROOT,
  test: {
    reporters: ['default', './test/support/plain-summary.ts'],
    projects: [
      {
        root: ROOT,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [LIVE],
          testTimeout: 20_000,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        root: ROOT,
        test: {
          name: 'live',
          include: [LIVE],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          globalSetup: ['./test/support/global-setup.ts'],
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
