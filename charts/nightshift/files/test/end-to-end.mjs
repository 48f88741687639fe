// What `helm test` runs in a pod of the release: sends a task as a client would, follows it to SUCCESS, and asks whether
// RabbitMQ counts its queues, without which KEDA would take every queue for empty. The words after the script's name are
// the command `nightshift`, by which it makes a key for itself and revokes it.
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

const { API_URL, AUTH, TASK, PAYLOAD, TIMEOUT_SECONDS, QUEUES } = process.env
const { MANAGEMENT_URL, MANAGEMENT_VHOST, MANAGEMENT_USERNAME, MANAGEMENT_PASSWORD } = process.env
const [program, ...words] = process.argv.slice(2)
const deadline = Date.now() + Number(TIMEOUT_SECONDS) * 1_000

/** Tries until it gets an answer that is not an error; the last error is thrown at the deadline. */
async function answered(what, ask) {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (Date.now() >= deadline) throw new Error(`${what}: ${error.message}`)
      await sleep(1_000)
    }
  }
}

async function call(url, init) {
  const response = await fetch(url, { signal: AbortSignal.timeout(40_000), ...init })
  const text = await response.text()
  if (!response.ok) throw new Error(`${response.status} ${text.slice(0, 500)}`)
  return JSON.parse(text)
}

function nightshift(...command) {
  return execFileSync(program, [...words, ...command], { encoding: 'utf8' }).trim()
}

async function followATask(headers) {
  const body = `{"name":${JSON.stringify(TASK)},"payload":${PAYLOAD.replaceAll('$ID', randomUUID())}}`
  // With a key of its own, a repeat after a lost answer is the same task.
  const idempotency = { 'idempotency-key': randomUUID() }
  const accepted = await answered('sending the task', () =>
    call(`${API_URL}/api/v1/tasks`, {
      method: 'POST',
      headers: { ...headers, ...idempotency, 'content-type': 'application/json' },
      body,
    }),
  )
  console.log(`accepted ${TASK} as ${accepted.id}`)
  for (;;) {
    const task = await answered('following the task', () =>
      call(`${API_URL}/api/v1/tasks/${accepted.id}`, { headers: { ...headers, prefer: 'wait=10' } }),
    )
    if (task.status === 'SUCCESS') return console.log('it reached SUCCESS')
    const why = `it is ${task.status}, see ${API_URL}/api/v1/requests/${accepted.requestId}`
    if (task.status === 'FAILED' || task.status === 'CANCELLED') throw new Error(why)
    if (Date.now() >= deadline) throw new Error(`not finished within ${TIMEOUT_SECONDS} s: ${why}`)
  }
}

async function seeCounts() {
  if (!MANAGEMENT_URL) return console.log('not checked: the counts of RabbitMQ, because broker.management.url is empty')
  const authorization = `Basic ${Buffer.from(`${MANAGEMENT_USERNAME}:${MANAGEMENT_PASSWORD}`).toString('base64')}`
  for (const queue of QUEUES.split(',')) {
    const url = `${MANAGEMENT_URL}/api/queues/${encodeURIComponent(MANAGEMENT_VHOST)}/nightshift.task.${queue}.v1`
    await answered(`the count of queue ${queue}`, async () => {
      const { messages } = await call(url, { headers: { authorization } })
      // A new queue has no count for some seconds; one that never has reads as 0 to KEDA.
      if (typeof messages !== 'number') {
        throw new Error('the management API tells no count: set management_agent.disable_metrics_collector = false')
      }
    })
    console.log(`RabbitMQ counts the queue ${queue}`)
  }
}

const key =
  AUTH === 'off'
    ? undefined
    : await answered('making a key', async () =>
        nightshift('key', 'create', '--client', 'helm-test', '--scopes', 'submit,read', '--expires-in-days', '1'),
      )
try {
  await followATask(key === undefined ? {} : { authorization: `Bearer ${key}` })
  await seeCounts()
} finally {
  if (key !== undefined) nightshift('key', 'revoke', key.split('_')[1])
}
