// The kinds of tests. `unit`: no server and no network, files side by side. `chart`: the chart by helm and kubectl, which
// registries bring, and other tools that are run as programs. `live`: real PostgreSQL and RabbitMQ, three runs side by
// side, each with servers of its own; within a run files follow one another, because many stop or freeze processes.
// `long`: what takes too long for every day.
import { fileURLToPath } from 'node:url'
import { defineConfig, type TestProjectConfiguration } from 'vitest/config'
import { LIVE_RUNS } from './support/global-setup.ts'
import { LongestFirst } from './support/longest-first.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const LIVE = 'test/**/*.live.test.ts'
const CHART = ['test/chart/**/*.test.ts', 'test/checks/**/*.test.ts']
const LONG = 'test/long/**/*.test.ts'

type Kind = NonNullable<Extract<TestProjectConfiguration, { test?: unknown }>['test']>
const project = (test: Kind): TestProjectConfiguration => ({ root: ROOT, test })

const onServers = {
  globalSetup: ['./test/support/global-setup.ts'],
  testTimeout: 120_000,
  hookTimeout: 120_000,
}

export default defineConfig({
  root: ROOT,
  test: {
    reporters: ['default', './test/support/plain-summary.ts', './test/support/recorder.ts'],
    sequence: { sequencer: LongestFirst },
    projects: [
      project({
        name: 'unit',
        include: ['test/**/*.test.ts'],
        exclude: [LIVE, ...CHART, LONG],
        testTimeout: 20_000,
        // More than there are cores, because many wait; a worker for each file cost half of the time. What a file changes
        // for all, it puts back.
        maxWorkers: 4,
        isolate: false,
        sequence: { groupOrder: 0 },
      }),
      project({
        name: 'chart',
        include: CHART,
        exclude: [LIVE],
        testTimeout: 60_000,
        maxWorkers: 2,
        sequence: { groupOrder: 1 },
      }),
      project({
        name: 'live',
        include: [LIVE],
        exclude: [LONG],
        ...onServers,
        maxWorkers: LIVE_RUNS,
        sequence: { groupOrder: 2 },
      }),
      project({ name: 'long', include: [LONG], ...onServers, maxWorkers: 1, sequence: { groupOrder: 3 } }),
    ],
  },
})
