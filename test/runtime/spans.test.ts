// A request that is not recorded says so to everything that follows, whatever its caller had decided.
import { expect, test } from 'vitest'
import { createIds } from '../../src/runtime/tracing/ids.ts'
import { createSpans } from '../../src/runtime/tracing/spans.ts'

test('a caller’s trace goes on unrecorded', () => {
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
  const offered = { traceId, traceparent: `00-${traceId}-00f067aa0ba902b7-01`, tracestate: 'a=b' }

  const context = createSpans(createIds()).request('req', offered)

  expect(context).toEqual({ traceId, traceparent: `00-${traceId}-00f067aa0ba902b7-00`, tracestate: 'a=b' })
})
