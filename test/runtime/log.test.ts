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
