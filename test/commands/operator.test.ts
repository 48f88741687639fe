// Promise: a command runs under any uid: one that has no name, as OpenShift gives them, is told by its number.
import { userInfo } from 'node:os'
import { expect, test, vi } from 'vitest'
import { operatorName } from '../../src/commands/operator.ts'

vi.mock('node:os', () => ({ userInfo: vi.fn() }))

test('a user without a name is told by its number', () => {
  vi.mocked(userInfo).mockImplementation(() => {
    throw Object.assign(new Error('A system error occurred: uv_os_get_passwd returned ENOENT'), { code: 'ENOENT' })
  })

  expect(operatorName()).toBe(`cli:uid ${process.getuid?.()}`)
})

test('any other is told by its name', () => {
  vi.mocked(userInfo).mockReturnValue({ username: 'ada', uid: 1, gid: 1, shell: null, homedir: '' } as never)

  expect(operatorName()).toBe('cli:ada')
})
