// Promise: what would lose work in silence is found by name, with why it matters and how to mend it: in the broker, in the
// database, in the settings. A healthy system is found healthy.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type Channel, connect } from 'amqplib'
import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { createManagement } from '../../scripts/servers/management.ts'
import { topologyOf } from '../../src/broker/topology.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import { aVhost, type Vhost } from '../support/broker.ts'
import { aDatabase, type Database, sqlUrl } from '../support/database.ts'
import { findingsOf, said } from '../support/doctor.ts'
import { type Nightshift, submit, withNightshift } from '../support/nightshift.ts'
import { failOnLeftovers } from '../support/processes.ts'
import { aPostgres, aRabbitmq, shared } from '../support/servers.ts'

failOnLeftovers()

interface Report {
  readonly code: number
  readonly text: string
}

/** Runs `nightshift doctor` as its users do. */
async function doctor(env: Record<string, string>, args: string[] = [], nodeArgs: string[] = []): Promise<Report> {
  const run = promisify(execFile)(process.execPath, [...nodeArgs, 'src/main.ts', 'doctor', ...args], {
    env: { PATH: process.env.PATH, ...env },
  })
  return run.then(
    ({ stdout }) => ({ code: 0, text: stdout }),
    (error) => ({ code: error.code, text: `${error.stdout}${error.stderr}` }),
  )
}

/** The settings that leave nothing unchecked. */
const whole = (nightshift: Nightshift): Record<string, string> => ({
  ...nightshift.env,
  NIGHTSHIFT_MANAGEMENT_URL: shared().managementUrl,
  NIGHTSHIFT_MAX_REPLICAS: '10',
  NIGHTSHIFT_DRAIN_GRACE_SECONDS: '300',
})

const worse = ({ level }: Finding): boolean => level !== 'ok'

describe('a running system', () => {
  const nightshift = withNightshift()

  test('is found healthy, and every check was made', async () => {
    await nightshift.startApi()
    await nightshift.startConsumer()

    const json = await doctor(whole(nightshift), ['--json'])
    const text = await doctor(whole(nightshift))

    const { healthy, findings } = JSON.parse(json.text)
    expect(findings.filter(worse)).toEqual([])
    expect({ healthy, codes: [json.code, text.code] }).toEqual({ healthy: true, codes: [0, 0] })
    expect(text.text).toMatch(/\n0 problems, 0 warnings, 0 not checked, \d+ ok\n$/)
  })

  test('whose tasks have nobody to work on them, whose clock is wrong, or whose longest task is too long, is not', async () => {
    const api = await nightshift.startApi()
    await submit(api, { name: 'trial.echo', payload: 1 })
    const early = await doctor({ ...whole(nightshift), NIGHTSHIFT_DRAIN_GRACE_SECONDS: '299' }, ['--json'])
    await nightshift.sql(`update unfinished set due_at = due_at - interval '10 min'`)
    // A minute and a half ahead, in this process alone.
    const wrongClock = ['--import', 'data:text/javascript,const now=Date.now;Date.now=()=>now()+90000']
    const late = await doctor(whole(nightshift), ['--json'], wrongClock)

    const { findings } = JSON.parse(early.text)
    expect(early.code).toBe(0)
    expect(said(findings, 'consumers', 'warning')).toEqual([
      expect.stringMatching(/^queue trial has 1 tasks, .* and no living consumer$/),
    ])
    expect(said(findings, 'grace-period', 'warning')).toEqual([
      expect.stringMatching(/may take 300 s, the grace period is 299 s$/),
    ])
    const second = JSON.parse(late.text)
    expect(late.code).toBe(1)
    expect(second.healthy).toBe(false)
    expect(said(second.findings, 'consumers')).toEqual([expect.stringContaining('queue trial has 1 tasks')])
    expect(said(second.findings, 'clock')).toEqual([
      // What is certain is less by the time the answer took, and by RabbitMQ's step of a second.
      expect.stringMatching(/^the clock of PostgreSQL is (?:8\d|90) s behind/),
      expect.stringMatching(/^the clock of RabbitMQ is (?:8\d|90) s behind/),
    ])
    for (const { why, fix } of second.findings.filter(({ level }: Finding) => level === 'problem')) {
      expect(why).toMatch(/\.$/)
      expect(fix).toMatch(/\.$/)
    }
  })

  test('says in the detail of its readiness what is wrong, and stays ready', async () => {
    await nightshift.sql(
      `alter database ${new URL(nightshift.databaseUrl).pathname.slice(1)} set synchronous_commit = off`,
    )
    const api = await nightshift.startApi()
    await api.waitForLog(({ msg, check }) => msg === 'the doctor found a problem' && check === 'postgres-durability')

    const own = await fetch(new URL('/health/ready', api.metricsUrl))
    const detail = (await own.json()) as { findings: Finding[] }
    const stranger = (await (await fetch(`${api.url}/health/ready`)).json()) as object

    expect(own.status).toBe(200)
    expect(said(detail.findings, 'postgres-durability')).toEqual([expect.stringContaining('synchronous_commit is off')])
    expect(Object.keys(stranger)).toEqual(['ready', 'checks'])
  })
})

describe('the broker', () => {
  const queues = ['classic', 'strategy', 'limit', 'length', 'unbound', 'missing', 'trial']
  let database: Database
  let vhost: Vhost
  beforeEach(async () => {
    database = await aDatabase()
    vhost = await aVhost()
    await withChannel(vhost.url, breakTopology)
  })
  afterEach(async () => {
    await vhost.drop()
    await database.drop()
  })

  /** Declares everything as it should be, but for what each queue is named after. */
  async function breakTopology(channel: Channel): Promise<void> {
    const topology = topologyOf(queues, [1_000])
    await channel.assertExchange('nightshift.task', 'topic')
    await channel.assertExchange('nightshift.retry', 'direct')
    for (const { name, arguments: own, bindings } of topology.queues) {
      const faults: Record<string, Record<string, unknown>> = {
        classic: { 'x-queue-type': 'classic' },
        strategy: { ...own, 'x-dead-letter-strategy': undefined },
        limit: { ...own, 'x-delivery-limit': 3 },
        length: { ...own, 'x-max-length': 100 },
        trial: { ...own, 'x-consumer-timeout': 60_000 },
      }
      const queue = name.split('.')[2] as string
      if (queue === 'missing') continue
      await channel.assertQueue(name, { durable: true, arguments: faults[queue] ?? own })
      if (queue === 'unbound') continue
      for (const { exchange, key } of bindings) await channel.bindQueue(name, exchange, key)
    }
  }

  test('is seen through: each of its faults, all at once', async () => {
    const management = createManagement(vhost.managementUrl)
    const policy = { pattern: 'dlq', definition: { 'message-ttl': 60_000 }, 'apply-to': 'queues' }
    await management.call('PUT', `policies/${vhost.name}/short`, policy)

    const found = await findingsOf({ ...urls(), managementUrl: vhost.managementUrl, queues })

    expect(said(found, 'queue-type')).toEqual([expect.stringMatching(/task\.classic\.v1 is a classic queue/)])
    expect(said(found, 'dead-lettering')).toEqual([
      expect.stringMatching(/task\.strategy\.v1 has no x-dead-letter-strategy, not at-least-once$/),
    ])
    expect(said(found, 'delivery-limit')).toEqual([
      expect.stringMatching(/task\.limit\.v1 has x-delivery-limit 3, not 50$/),
    ])
    expect(said(found, 'queues').toSorted()).toEqual([
      'queue nightshift.task.length.v1 has x-max-length 100',
      'queue nightshift.task.missing.v1 is missing',
    ])
    expect(said(found, 'exchanges')).toEqual([
      expect.stringMatching(/^exchange nightshift\.retry differs: .*'direct'/),
      'queue nightshift.task.unbound.v1 is not bound to nightshift.task by *.unbound',
    ])
    expect(said(found, 'policies')).toEqual(['a policy gives queue nightshift.dlq.v1 message-ttl 60000'])
    expect(said(found, 'consumer-timeout')).toEqual([
      expect.stringMatching(/task\.trial\.v1 has a consumer timeout of 60 s, and trial\.\w+ may take 300 s$/),
    ])
    expect(said(found, 'queue-counts', 'ok')).toHaveLength(1)
  })

  test('is seen over AMQP alone as far as that goes, and what it leaves open is said', async () => {
    const found = await findingsOf({ ...urls(), queues })

    expect(said(found, 'queue-type')).toEqual([expect.stringContaining('task.classic.v1')])
    expect(said(found, 'dead-lettering')).toEqual([expect.stringContaining('task.strategy.v1')])
    expect(said(found, 'delivery-limit')).toEqual([expect.stringContaining('task.limit.v1')])
    expect(said(found, 'queues')).toEqual([
      expect.stringContaining('task.length.v1'),
      'queue nightshift.task.missing.v1 is missing',
    ])
    const open = found.filter(({ level }) => level === 'not_checked')
    expect(open.map(({ check }) => check).toSorted()).toEqual(
      ['connections', 'consumer-timeout', 'policies', 'queue-counts'].toSorted(),
    )
    for (const { fix } of open) expect(fix).toMatch(/NIGHTSHIFT_(?:MANAGEMENT_URL|MAX_REPLICAS)/)
    // It looked and made nothing.
    expect(said(await findingsOf({ ...urls(), queues }), 'queues')).toHaveLength(2)
  })

  test('whose management API does not let us in, or that is away, is a problem of its own', async () => {
    const wrong = vhost.managementUrl.replace('guest:guest', 'guest:wrong')
    const nowhere = { ...urls(), amqpUrl: 'amqp://127.0.0.1:1' }

    const locked = await findingsOf({ ...urls(), managementUrl: wrong, queues })
    const away = await findingsOf({ ...nowhere, queues })

    expect(said(locked, 'queue-counts')).toEqual([expect.stringMatching(/answered 401: the user needs/)])
    expect(said(away, 'broker')).toEqual([expect.stringMatching(/^RabbitMQ does not answer: .*ECONNREFUSED/)])
  })

  const urls = () => ({ databaseUrl: database.url, amqpUrl: vhost.url })
})

test('a broker that counts nothing is a problem, because an autoscaler would read 0', async () => {
  const database = await aDatabase()
  onTestFinished(() => database.drop())
  const rabbitmq = await aRabbitmq({ settings: { 'management_agent.disable_metrics_collector': 'true' } })
  onTestFinished(() => rabbitmq.remove())
  await withChannel(rabbitmq.url, async (channel) => {
    const { name, arguments: own } = topologyOf(['trial'], []).queues[1] as { name: string; arguments: object }
    await channel.assertQueue(name, { durable: true, arguments: own })
  })

  const found = await findingsOf({
    databaseUrl: database.url,
    amqpUrl: rabbitmq.url,
    managementUrl: rabbitmq.managementUrl,
    queues: ['trial'],
  })

  expect(said(found, 'queue-counts')).toEqual([
    'the management API shows no count of messages for nightshift.task.trial.v1',
  ])
  expect(said(found, 'policies', 'not_checked')).toEqual(['the management API does not show them'])
})

describe('the database', () => {
  const nowhere = { amqpUrl: 'amqp://127.0.0.1:1', queues: ['trial'] }

  test('with a schema that lacks a migration, or has no partition for tomorrow, or too few connections', async () => {
    const database = await aDatabase()
    onTestFinished(() => database.drop())
    const look = (maxReplicas: number) => findingsOf({ ...nowhere, databaseUrl: database.url, maxReplicas })

    const healthy = await look(5)
    const tooMany = await look(100)
    await sql(database.url, `alter database ${new URL(database.url).pathname.slice(1)} connection limit 50`)
    const limited = await look(5)
    await sql(
      database.url,
      `do $$ declare part text; begin
         for part in select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
                      where i.inhparent = 'finished'::regclass and right(c.relname, 8) > to_char(now() at time zone 'UTC', 'YYYYMMDD')
         loop execute format('drop table %I', part); end loop;
       end $$`,
    )
    const endingToday = await look(5)
    await sql(database.url, 'delete from schema_migration where id = (select max(id) from schema_migration)')
    const old = await look(5)

    expect(healthy.filter(worse).map(({ check }) => check)).toEqual(['broker'])
    expect(said(tooMany, 'connections')).toEqual([
      expect.stringMatching(
        /^100 consumers with 9 and 1 api processes with 7 connections need 907, and there are \d+ /,
      ),
    ])
    expect(said(limited, 'connections')).toEqual([
      expect.stringMatching(/need 52, and there are \d+ \(50 for this role/),
    ])
    expect(said(endingToday, 'partitions')).toEqual(['the partitions reach 0 days ahead'])
    expect(said(old, 'migrations')).toEqual([
      expect.stringMatching(/^the schema is older than this version, which needs \d{4}_/),
    ])
  })

  test('that answers before its disk has it', async () => {
    const settings = {
      fsync: 'off',
      full_page_writes: 'off',
      synchronous_commit: 'local',
      synchronous_standby_names: 'x',
    }
    const postgres = await aPostgres({ settings })
    onTestFinished(() => postgres.remove())

    const found = await findingsOf({ ...nowhere, databaseUrl: postgres.url })
    await sql(postgres.url, 'alter role postgres set synchronous_commit = off')
    const off = await findingsOf({ ...nowhere, databaseUrl: postgres.url })

    expect(said(found, 'postgres-durability').map((what) => what.split(':')[0])).toEqual([
      'fsync is off',
      'full_page_writes is off',
    ])
    expect(said(found, 'postgres-durability', 'warning')).toEqual([
      expect.stringMatching(/^synchronous_commit is local/),
    ])
    expect(said(off, 'postgres-durability')).toContain('synchronous_commit is off: a crash loses the newest commits')
  })

  test('that is away, empty or not set', async () => {
    const away = await doctor({ DATABASE_URL: 'postgres://127.0.0.1:1/x', AMQP_URL: 'amqp://127.0.0.1:1' }, ['--json'])
    const unset = await doctor({ AMQP_URL: 'amqp://127.0.0.1:1' })
    const empty = await findingsOf({ ...nowhere, databaseUrl: shared().postgresUrl })

    expect(away.code).toBe(1)
    expect(said(JSON.parse(away.text).findings, 'postgres')).toEqual([expect.stringContaining('ECONNREFUSED')])
    expect(unset.code).toBe(2)
    expect(unset.text).toMatch(/^DATABASE_URL is not set/)
    expect(said(empty, 'migrations')).toHaveLength(1)
    expect(said(empty, 'consumers', 'not_checked')).toEqual(['the tables are missing'])
  })
})

async function withChannel(url: string, work: (channel: Channel) => Promise<void>): Promise<void> {
  const connection = await connect(url)
  await work(await connection.createChannel())
  await connection.close()
}

async function sql(url: string, text: string): Promise<void> {
  const client = new Client({ connectionString: sqlUrl(url) })
  await client.connect()
  await client.query(text)
  await client.end()
}
