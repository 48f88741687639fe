// What an error of PostgreSQL tells in the log: what went wrong, and nothing of the row that it went wrong with.
import { expect, test } from 'vitest'
import { createLog } from '../../src/runtime/log.ts'

test('an error keeps its kind, text, code, stack and cause, and loses the data it carries', () => {
  const lines: string[] = []
  const log = createLog('info', 'api', { write: (line) => void lines.push(line) })
  const refused = Object.assign(new Error('duplicate key value'), {
    code: '23505',
    detail: 'Key (email)=(somebody@example.org) already exists.',
    where: 'JSON data, line 1: {"email": "somebody@example.org"}',
  })

  log.error({ error: new Error('not settled', { cause: refused }), request_id: 'r' }, 'settling failed')

  expect(lines).toHaveLength(1)
  expect(JSON.parse(lines[0] as string)).toMatchObject({
    level: 'error',
    role: 'api',
    request_id: 'r',
    msg: 'settling failed',
    error: {
      name: 'Error',
      message: 'not settled',
      stack: expect.stringContaining('log.test.ts'),
      cause: { message: 'duplicate key value', code: '23505' },
    },
  })
  expect(lines[0]).not.toContain('somebody')
})

test('what a line quotes stands escaped in it, also for those who undo the escapes of JSON', () => {
  const lines: string[] = []
  const log = createLog('info', 'api', { write: (line) => void lines.push(line) })
  const error = new Error('the shelf\u001b]52;c;cm0\u0007 is empty\nforged \u202e\u009b2J')

  log.info({ error, request_id: 'a' }, 'attempt failed')
  log.info({ request_id: 'a\\b' }, 'plain')

  const [failed, plain] = lines.map((line) => JSON.parse(line))
  expect(failed.error.message).toBe('the shelf\\u001b]52;c;cm0\\u0007 is empty\\u000aforged \\u202e\\u009b2J')
  expect(failed.error.stack).toMatch(/^Error: the shelf\\u001b.*\nforged \\u202e.*\n +at /)
  expect(plain.request_id).toBe('a\\b')
  expect(lines.every((line) => line.endsWith('}\n'))).toBe(true)
})
