// What the chart says of itself is true: every value has a sentence, every setting is free or follows from a value, the
// copies of dashboards and alerts are those of grafana/, and the versions agree.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { orphans } from '../../scripts/chart/pages.ts'
import { OWNED, settingProperties } from '../../scripts/chart/settings.ts'
import { readValues } from '../../scripts/chart/values-table.ts'
import { VERSION } from '../../src/runtime/build-info.ts'
import { readConfig } from '../../src/runtime/config.ts'
import { SETTINGS } from '../../src/runtime/settings.ts'
import { CASES } from './cases.ts'
import { CHART, type Container, podSpecs, render } from './chart.ts'

const text = (name: string): string => readFileSync(join(CHART, name), 'utf8')

test('every value has a sentence', () => {
  const { rows, silent } = readValues(text('values.yaml'))

  expect(silent).toEqual([])
  expect(rows.filter(({ says }) => !/^[A-Z].*\.$/.test(says))).toEqual([])
  expect(rows.length).toBeGreaterThan(80)
})

test('a value without a sentence is found', () => {
  expect(readValues('a:\n  # -- Said.\n  b: 1\n  c: 2\nd: {}\n').silent).toEqual(['a.c', 'd'])
})

test('every value is in the schema, and the schema has no other', () => {
  const schema = JSON.parse(text('values.schema.json'))
  const resolve = (part: { $ref?: string }) =>
    part.$ref ? schema.definitions[part.$ref.split('/').at(-1) ?? ''] : part
  const compare = (
    values: object,
    part: { properties?: Record<string, { $ref?: string }> },
    above: string,
  ): string[] => {
    const known = Object.keys(part.properties ?? {}).filter((key) => key !== 'global')
    const keys = Object.keys(values)
    const differ = [...known.filter((key) => !keys.includes(key)), ...keys.filter((key) => !known.includes(key))]
    return [
      ...differ.map((key) => above + key),
      ...Object.entries(values).flatMap(([key, value]) => {
        const inner = resolve(part.properties?.[key] ?? {})
        return inner.properties && key !== 'settings' && key !== 'resources'
          ? compare(value, inner, `${above}${key}.`)
          : []
      }),
    ]
  }

  expect(compare(parse(text('values.yaml')), schema, '')).toEqual([])
})

test('every setting is free in `settings`, follows from a value, or is a secret', () => {
  const free = Object.keys(settingProperties())
  const known = Object.values<{ name: string; secret?: true }>(SETTINGS)

  expect(free.filter((name) => name in OWNED)).toEqual([])
  expect(known.filter(({ name, secret }) => !free.includes(name) && !(name in OWNED) && !secret)).toEqual([])
})

test.each(CASES.filter(({ file, release }) => file || release))('processes accept what $name gives them', (options) => {
  const containers = podSpecs(render(options)).flatMap((pod) => pod.containers)
  const ours = containers.filter(({ args }) => ['api', 'consumer', 'doctor'].includes(args?.[0] ?? ''))
  const secrets: Readonly<Record<string, string>> = {
    DATABASE_URL: 'postgres://db/x',
    AMQP_URL: 'amqp://mq',
    NIGHTSHIFT_MANAGEMENT_URL: 'http://u:p@mq:15672',
  }
  const environmentOf = ({ env = [] }: Container) =>
    Object.fromEntries(env.map(({ name, value }) => [name, value ?? secrets[name] ?? 'a-name']))

  expect(new Set(ours.map(({ args }) => args?.[0]))).toEqual(new Set(['api', 'consumer', 'doctor']))
  for (const container of ours) expect(() => readConfig(environmentOf(container))).not.toThrow()
})

test('the copies of dashboards and alerts have an original', () => {
  expect(orphans()).toEqual([])
})

test('the chart’s version and its app’s are those of the package', () => {
  expect(parse(text('Chart.yaml'))).toMatchObject({ appVersion: VERSION, version: VERSION })
})
