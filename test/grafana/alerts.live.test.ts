// Each alert fires when it should, stays still when all is well, and leads to a runbook whose commands are true.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { promtool } from '../../scripts/servers/prometheus.ts'
import { aDatabase, type Database, sqlUrl } from '../support/database.ts'
import { shared } from '../support/servers.ts'
import { type AlertCase, CASES, type SeriesByName } from './alert-cases.ts'
import { ROOT, RULES } from './expressions.ts'

const RUNBOOKS = join(ROOT, 'docs/runbooks')
const pages = readdirSync(RUNBOOKS).filter((file) => file.startsWith('Nightshift'))
const inRules = [...readFileSync(RULES, 'utf8').matchAll(/^ +- alert: (\w+)$/gm)].map(([, name]) => name as string)

const linkOf = (alert: string): string => `docs/runbooks/${alert}.md`

/** What promtool takes for one test: https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/ */
function ruleTest(
  name: string,
  series: SeriesByName,
  alert: string,
  evaluations: readonly [string, readonly object[]][],
) {
  return {
    name,
    interval: '1m',
    input_series: Object.entries(series).map(([each, values]) => ({ series: each, values })),
    alert_rule_test: evaluations.map(([eval_time, exp_alerts]) => ({ eval_time, alertname: alert, exp_alerts })),
  }
}

function testsOf({ alert, severity, fires, at, labels, summary, isWell }: AlertCase): object[] {
  const exp_labels = { ...labels, severity }
  const fired = { exp_labels, exp_annotations: { summary, runbook_url: linkOf(alert) } }
  const quiet = ['1m', '5m', '10m', '20m', '30m'].map((time): [string, object[]] => [time, []])
  return [
    ruleTest(`${alert} fires`, fires, alert, [
      ['0m', []],
      [at, [fired]],
    ]),
    ruleTest(`${alert} is quiet`, isWell, alert, quiet),
  ]
}

async function runRuleTests(tests: readonly object[]): Promise<string> {
  const folder = mkdtempSync(join(shared().runFolder, 'rules-'))
  try {
    const file = join(folder, 'tests.json')
    writeFileSync(file, JSON.stringify({ rule_files: [RULES], evaluation_interval: '1m', tests }))
    return await promtool(['test', 'rules', file])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

describe('the alerts', () => {
  test('are rules that Prometheus takes', async () => {
    expect(await promtool(['check', 'rules', RULES])).toContain(`SUCCESS: ${inRules.length} rules found`)
  })

  test('have each a case here and a runbook of their own, and no runbook is left over', () => {
    expect(inRules.length).toBeGreaterThan(20)
    expect(CASES.map(({ alert }) => alert).sort()).toEqual([...inRules].sort())
    expect(pages.sort()).toEqual(inRules.map((name) => `${name}.md`).sort())
    const index = readFileSync(join(RUNBOOKS, 'README.md'), 'utf8')
    for (const { alert, severity } of CASES) expect(index).toContain(`| [${alert}](${alert}.md) | ${severity} |`)
  })

  test('fire with their runbook when it is time, and not when all is well', async () => {
    expect(await runRuleTests(CASES.flatMap(testsOf))).toContain('SUCCESS')
  })

  test('would not pass with a wrong runbook link', async () => {
    const [stale] = CASES as [AlertCase]
    const wrong = JSON.parse(JSON.stringify(testsOf(stale)).replaceAll('docs/runbooks/', 'docs/'))

    await expect(runRuleTests(wrong)).rejects.toThrow('FAILED')
  })
})

describe('the runbooks', () => {
  let database: Database
  let client: pg.Client
  beforeAll(async () => {
    database = await aDatabase()
    client = new pg.Client({ connectionString: sqlUrl(database.url) })
    await client.connect()
  })
  afterAll(async () => {
    await client.end()
    await database.drop()
  })

  test.each(pages)('%s says what it means, what it costs, what to look at and what to do', async (page) => {
    const text = readFileSync(join(RUNBOOKS, page), 'utf8')
    const statements = [...text.matchAll(/psql "\$DATABASE_URL" -c "([^"]+)"/g)].map(([, sql]) => sql as string)

    expect(text.startsWith(`# ${page.replace('.md', '')}\n`)).toBe(true)
    expect([...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading)).toEqual([
      'Meaning',
      'Impact',
      'Checks',
      'Mitigation',
    ])
    for (const sql of statements) await client.query(sql)
  })
})
