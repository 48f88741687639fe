// Trace contexts as they are stored and passed on: only valid ones count, and an attempt's place follows from its task.
import { expect, test } from 'vitest'
import { placeOf, placeOfAttempt, traceFrom } from '../../src/core/trace.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
const TASK = '01a2010d-bb36-7032-89c4-23aeb655cd4b'

test('a traceparent says which span it is, and whether it is recorded', () => {
  expect(placeOf(`00-${TRACE}-${SPAN}-01`)).toEqual({ traceId: TRACE, spanId: SPAN, isSampled: true })
  expect(placeOf(`00-${TRACE}-${SPAN}-00`)).toEqual({ traceId: TRACE, spanId: SPAN, isSampled: false })
  // Of the flags only the lowest bit is about recording.
  expect(placeOf(`00-${TRACE}-${SPAN}-02`)?.isSampled).toBe(false)
  expect(placeOf(`00-${TRACE}-${SPAN}-03`)?.isSampled).toBe(true)
})

test.each([
  undefined,
  '',
  `00-${TRACE}-${SPAN}`,
  `ff-${TRACE}-${SPAN}-01`,
  `00-${'0'.repeat(32)}-${SPAN}-01`,
  `00-${TRACE}-${'0'.repeat(16)}-01`,
  `00-${TRACE.toUpperCase()}-${SPAN}-01`,
  `00-${TRACE}-${SPAN}-01-more`,
])('%j is no place', (text) => {
  expect(placeOf(text)).toBeUndefined()
})

test.each([
  ['our version', `00-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-01`],
  ['a later version that says no more', `cc-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-01`],
  ['a later version with more fields', `01-${TRACE}-${SPAN}-03-what-the-future:holds`, `00-${TRACE}-${SPAN}-01`],
  ['a later version with an empty field', `fe-${TRACE}-${SPAN}-00-`, `00-${TRACE}-${SPAN}-00`],
])('the trace of %s goes on, in our version', (_, offered, ours) => {
  expect(traceFrom(offered, 'a=b')).toEqual({ traceId: TRACE, traceparent: ours, tracestate: 'a=b' })
})

test.each([
  `00-${TRACE}-${SPAN}-01-more`,
  `ff-${TRACE}-${SPAN}-01-more`,
  `01-${TRACE}-${SPAN}-01more`,
  `01-${'0'.repeat(32)}-${SPAN}-01-more`,
  `01-${TRACE}-${SPAN}`,
])('%s begins a new trace', (offered) => {
  const { traceId, traceparent, tracestate } = traceFrom(offered, 'a=b')

  expect(traceId).not.toBe(TRACE)
  expect(placeOf(traceparent)?.traceId).toBe(traceId)
  expect(tracestate).toBeNull()
})

test('attempt 1 is in the task’s trace, each later one in its own, and the same question has the same answer', () => {
  const places = [1, 2, 3].map((attempt) => placeOfAttempt(TRACE, TASK, attempt))

  expect(places[0]?.traceId).toBe(TRACE)
  expect(new Set(places.map(({ traceId }) => traceId)).size).toBe(3)
  expect(new Set(places.map(({ spanId }) => spanId)).size).toBe(3)
  for (const { traceId, spanId } of places) expect(placeOf(`00-${traceId}-${spanId}-01`)).toBeDefined()
  expect(placeOfAttempt(TRACE, TASK, 2)).toEqual(places[1])
})
