// `make dashboards`: writes the dashboards as the JSON that Grafana imports.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { findRequest } from './find-request.ts'
import { overview } from './overview.ts'
import { queues } from './queues.ts'

export const FOLDER = fileURLToPath(new URL('dashboards', import.meta.url))

/** Builds every dashboard, by the name of its file. */
export function dashboards(): ReadonlyMap<string, Dashboard> {
  const all = [overview(), queues(), findRequest()].map((builder) => withIds(builder.build()))
  return new Map(all.map((dashboard) => [`${dashboard.uid}.json`, dashboard]))
}

/** Writes a dashboard as it is committed. */
export function textOf(dashboard: Dashboard): string {
  return `${JSON.stringify(dashboard, null, 2)}\n`
}

/** Numbers the panels in their order, so that a link to one of them stays good. */
function withIds(dashboard: Dashboard): Dashboard {
  return {
    ...dashboard,
    panels: (dashboard.panels ?? []).map((panel, index) => ({ ...panel, id: index + 1 })) as never,
  }
}

if (import.meta.main) {
  mkdirSync(FOLDER, { recursive: true })
  for (const [name, dashboard] of dashboards()) {
    writeFileSync(join(FOLDER, name), textOf(dashboard))
    console.log(`grafana/dashboards/${name} is written`)
  }
}
