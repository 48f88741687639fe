// Promise: user and password are what the URL's percent signs say in UTF-8, and nothing that is written there throws.
import { expect, test } from 'vitest'
import { credentialsOf } from '../../src/broker/credentials.ts'

const read = (url: string) => credentialsOf(new URL(url))

test('letters beyond ASCII are the same, encoded or not', () => {
  const zoe = { user: 'zoë', password: 'päß 日本' }

  expect(read('amqp://zo%C3%AB:p%C3%A4%C3%9F%20%E6%97%A5%E6%9C%AC@mq/v')).toEqual(zoe)
  expect(read('amqp://zoë:päß 日本@mq/v')).toEqual(zoe)
})

test('what means something in a URL or in a form is taken as it is once decoded, and only once', () => {
  expect(read('amqp://a%40b:%2F%3A%3F%23+%2525@mq')).toEqual({ user: 'a@b', password: '/:?#+%25' })
})

test('a percent sign that begins no code stands for itself', () => {
  expect(read('amqp://u:100%@mq')).toEqual({ user: 'u', password: '100%' })
})

test('without either they are those of guest, and one alone is not made up', () => {
  expect(read('amqp://mq')).toEqual({ user: 'guest', password: 'guest' })
  expect(read('amqp://u@mq')).toEqual({ user: 'u', password: '' })
})
