// The servers of demo, run and tests: their faults are real, and nothing stays behind.
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'amqplib'
import { Client } from 'pg'
import { expect, test } from 'vitest'
import { childrenOf, isAlive } from '../../scripts/servers/process-table.ts'
import { aVhost, managementOf } from '../support/broker.ts'
import { aDatabase } from '../support/database.ts'
import { field, longString, nestedTables, publishBytes } from '../support/raw-amqp.ts'
import { aPostgres, aRabbitmq } from '../support/servers.ts'

async function firstValue(url: string, sql: string): Promise<unknown> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 })
  client.on('error', () => {})
  await client.connect()
  try {
    const { rows } = await client.query({ text: sql, rowMode: 'array' })
    return rows[0]?.[0]
  } finally {
    await client.end()
  }
}

async function declare(url: string, queue: string): Promise<void> {
  const connection = await connect(url)
  const channel = await connection.createChannel()
  await channel.assertQueue(queue, { durable: true })
  await connection.close()
}

test('each database is a migrated copy of its own', async () => {
  const [one, two] = await Promise.all([aDatabase(), aDatabase()])
  await firstValue(one.url, 'create table only_here (id int)')

  const tables =
    "select count(*)::int from pg_tables where schemaname in ('nightshift', 'public') and tablename in ('schema_migration', 'only_here')"
  expect(await firstValue(one.url, tables)).toBe(2)
  expect(await firstValue(two.url, tables)).toBe(1)
  await Promise.all([one.drop(), two.drop()])
  await expect(firstValue(one.url, 'select 1')).rejects.toThrow('does not exist')
})

test('PostgreSQL keeps what was committed through a restart, a crash and a kill', async () => {
  const postgres = await aPostgres()
  await firstValue(postgres.url, 'create table kept as select 7 as value')

  for (const fault of [() => postgres.restart('fast'), () => postgres.restart('immediate'), () => postgres.kill()]) {
    await fault()
    await postgres.start()
    expect(await firstValue(postgres.url, 'select value from kept')).toBe(7)
  }
  await postgres.remove()
})

test('a frozen PostgreSQL answers only once it is thawed', async () => {
  const postgres = await aPostgres()
  const client = new Client({ connectionString: postgres.url })
  await client.connect()
  postgres.freeze()

  let isAnswered = false
  const answer = client.query('select 1').then(() => {
    isAnswered = true
  })
  await sleep(300)
  expect(isAnswered).toBe(false)
  postgres.thaw()
  await answer

  await client.end()
  await postgres.remove()
})

test('PostgreSQL leaves no process and no data behind, even when frozen', async () => {
  const postgres = await aPostgres()
  const pids = [postgres.pid, ...childrenOf(postgres.pid)]
  postgres.freeze()

  await postgres.remove()

  expect(pids.length).toBeGreaterThan(1)
  expect(pids.filter(isAlive)).toEqual([])
})

test('RabbitMQ keeps durable queues through stop and kill, forgets them when wiped, and leaves nothing behind', async () => {
  const rabbitmq = await aRabbitmq()
  const url = await rabbitmq.addVhost('own')
  const management = managementOf({ url, name: 'own', managementUrl: rabbitmq.managementUrl })
  await declare(url, 'kept')

  await rabbitmq.stop()
  await rabbitmq.start()
  expect(await management.queueNames()).toEqual(['kept'])
  await rabbitmq.kill()
  await rabbitmq.start()
  expect(await management.queueNames()).toEqual(['kept'])
  await rabbitmq.kill()
  rabbitmq.wipe()
  await rabbitmq.start()
  await expect(management.queueNames()).rejects.toThrow('404')

  const pids = [rabbitmq.pid, rabbitmq.epmdPid, ...childrenOf(rabbitmq.pid)]
  rabbitmq.freeze()
  await rabbitmq.remove()
  expect(pids.filter(isAlive)).toEqual([])
})

test('blocked publishers get their confirms when the alarm is over', async () => {
  const rabbitmq = await aRabbitmq()
  await declare(rabbitmq.url, 'some')
  await rabbitmq.blockPublishers()

  let isConfirmed = false
  const confirmed = publishBytes(rabbitmq.url, { routingKey: 'some', body: '{}', headers: Buffer.alloc(0) }).then(
    () => {
      isConfirmed = true
    },
  )
  await sleep(1_000)
  expect(isConfirmed).toBe(false)
  await rabbitmq.unblockPublishers()
  await confirmed

  await rabbitmq.remove()
})

test('a virtual host can be looked into and tampered with', async () => {
  const vhost = await aVhost()
  const management = managementOf(vhost)
  await declare(vhost.url, 'first')
  await declare(vhost.url, 'second')

  await management.publishRaw('first', 'not json', { message_id: '1', headers: { attempt: 1 } })
  await publishBytes(vhost.url, {
    routingKey: 'first',
    body: 'x'.repeat(300_000),
    headers: Buffer.concat([field('big', 'S', longString('x'.repeat(100 * 1024))), nestedTables(50)]),
  })
  expect(await management.readyCount('first')).toBe(2)
  await management.purge('first')
  expect(await management.readyCount('first')).toBe(0)
  await management.deleteQueue('second')
  expect(await management.queueNames()).toEqual(['first'])
  await expect(management.publishRaw('second', '{}')).rejects.toThrow('no queue second')

  const connection = await connect(vhost.url)
  const closed = new Promise((resolve) => connection.once('close', resolve))
  connection.on('error', () => {})
  await vhost.drop()
  await closed
})
