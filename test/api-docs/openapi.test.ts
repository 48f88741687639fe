// The document says what the server does: every reference leads somewhere, every problem and task type has its place.

import { defineTask } from 'nightshift-tasks'
import { expect, test } from 'vitest'
import { z } from 'zod'
import type { OpenApi } from '../../src/api-docs/openapi.ts'
import { PROBLEMS } from '../../src/http/problem.ts'
import { type ApiOptions, anApi } from '../http/an-api.ts'
import { contractsOf, PACKS } from '../support/packs.ts'

const tree: z.ZodType = z.strictObject({
  get children() {
    return z.array(tree)
  },
})
const contracts = contractsOf([
  ...PACKS.contracts.values(),
  defineTask({
    name: 'tree.plant',
    summary: 'Has a <b>recursive</b> payload.',
    payload: tree,
    queue: 'trial',
    effects: 'none',
  }),
])

async function theDocument(of = contracts, callers: ApiOptions['callers'] | null = {}): Promise<OpenApi> {
  const api = await anApi({ contracts: of, ...(callers ? { callers } : {}) })
  return (await (await api.get('/openapi.json')).json()) as OpenApi
}

test('every reference leads somewhere', async () => {
  const document = await theDocument()
  const refs = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref]) => ref as string)

  const lost = refs.filter((ref) => {
    const found = ref
      .split('/')
      .slice(1)
      .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], document)
    return !ref.startsWith('#/') || found === undefined
  })

  expect(refs.length).toBeGreaterThan(50)
  expect(lost).toEqual([])
})

test('it has every route, with its parameters, its scopes and a problem for each failure', async () => {
  const { paths } = await theDocument()

  expect(Object.keys(paths)).toEqual([
    '/api/v1/tasks',
    '/api/v1/conversations/end',
    '/api/v1/tasks/batch',
    '/api/v1/tasks/{id}/retry',
    '/api/v1/tasks/{id}/cancel',
    '/api/v1/tasks/my-tasks',
    '/api/v1/tasks/{id}',
    '/api/v1/tasks/{id}/status',
    '/api/v1/bursts',
    '/health/live',
    '/health/ready',
    '/health/consumers',
    '/api/v1/requests/{requestId}',
    '/openapi.json',
    '/docs',
  ])
  const submit = paths['/api/v1/tasks']?.post
  expect(Object.keys(submit?.responses ?? {})).toEqual(
    expect.arrayContaining(['200', '202', '400', '401', '403', '413', '415', '422', '500', '503']),
  )
  const operation = paths['/api/v1/tasks/{id}/cancel']?.post
  expect(Object.keys(operation?.responses ?? {})).toEqual(
    expect.arrayContaining(['202', '400', '401', '403', '404', '409', '413', '415', '422', '429', '500', '503']),
  )
  // Each scope alone is enough; those of one entry would be needed together.
  expect(operation?.security).toEqual([{ key: ['submit'] }, { key: ['operate'] }, { key: ['admin'] }])
  const list = paths['/api/v1/tasks']?.get
  expect(list?.parameters.map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'status',
      'name',
      'queue',
      'requestId',
      'userId',
      'tag',
      'errorFingerprint',
      'createdAfter',
      'limit',
      'cursor',
    ]),
  )
  const ids = Object.values(paths).flatMap((path) => Object.values(path).map(({ operationId }) => operationId))
  expect(new Set(ids).size).toBe(ids.length)
})

test('a batch and its answer are arrays in JSON, and items line by line', async () => {
  const batch = (await theDocument()).paths['/api/v1/tasks/batch']?.post
  const answer = batch?.responses[202] as { content: unknown }

  expect(batch?.requestBody?.content).toMatchObject({
    'application/json': { schema: { type: 'array', items: { $ref: '#/components/schemas/BatchItem' } } },
    'application/x-ndjson': { schema: { $ref: '#/components/schemas/BatchItem' } },
    'application/cloudevents-batch+json': {
      schema: { type: 'array', items: { $ref: '#/components/schemas/CloudEvent' } },
    },
  })
  expect(answer.content).toEqual({
    'application/json': { schema: { type: 'array', items: { $ref: '#/components/schemas/BatchAnswerItem' } } },
    'application/x-ndjson': { schema: { $ref: '#/components/schemas/BatchAnswerItem' } },
  })
})

test('no key is asked for where none is needed', async () => {
  const { paths } = await theDocument(contracts, null)

  expect(Object.values(paths).flatMap((path) => Object.values(path).map(({ security }) => security))).toEqual(
    Object.values(paths).flatMap((path) => Object.values(path).map(() => [])),
  )
})

test('every task type has its payload as a schema by name', async () => {
  const { components } = await theDocument()

  for (const name of contracts.keys()) expect(components.schemas).toHaveProperty([`payload.${name}`])
  expect(components.schemas['payload.conversation.ended']).toMatchObject({
    required: expect.arrayContaining(['conversation_id']),
    additionalProperties: false,
  })
})

test('a payload that transforms, or that calls a part of it as we call ours, has its input described and disturbs nothing', async () => {
  const payload = z.strictObject({
    count: z.string().transform(Number),
    tags: z.map(z.string(), z.string()).optional(),
    part: z.string().max(5).meta({ id: 'Problem' }),
  })
  const guests = ['guest.one', 'guest.two'].map((name) =>
    defineTask({ name, summary: 'Shares its payload.', payload, queue: 'trial', effects: 'none' }),
  )
  const plain = await theDocument()
  const document = await theDocument(contractsOf([...contracts.values(), ...guests]))

  for (const { name } of guests) {
    expect(document.components.schemas[`payload.${name}`]).toMatchObject({
      required: ['count', 'part'],
      properties: {
        count: { type: 'string' },
        part: { $ref: `#/components/schemas/payload.${name}/$defs/Problem` },
      },
      $defs: { Problem: { type: 'string', maxLength: 5 } },
    })
  }
  expect(document.components.schemas.Problem).toEqual(plain.components.schemas.Problem)
})

test('answers may get more fields, what is sent may not', async () => {
  const { schemas } = (await theDocument()).components

  for (const name of ['Problem', 'Accepted', 'Task', 'TaskPage'])
    expect(schemas[name]).not.toHaveProperty('additionalProperties')
  for (const name of ['Submission', 'BatchItem']) expect(schemas[name]).toHaveProperty('additionalProperties', false)
})

test('the page resolves the type of every problem, loads nothing from elsewhere and runs nothing', async () => {
  const api = await anApi({ contracts })

  const answer = await api.get('/docs')
  const html = await answer.text()

  for (const slug of Object.keys(PROBLEMS)) expect(html).toContain(`id="problem-${slug}"`)
  for (const name of contracts.keys()) expect(html).toContain(name)
  expect(html).not.toMatch(/<script|<b\b|src=|href="http/)
  expect(answer.headers.get('content-security-policy')).toMatch(/default-src 'none'; style-src 'sha256-/)
  const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id as string)
  expect(new Set(ids).size).toBe(ids.length)
  const links = [...html.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id as string)
  expect(links.filter((id) => !ids.includes(id))).toEqual([])
})
