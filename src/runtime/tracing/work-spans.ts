/** The spans of work that several tasks share, and of the steps of one. */
import { type Context, context, ROOT_CONTEXT, type Tracer, trace } from '@opentelemetry/api'
import type { WorkSpans } from './contract.ts'
import { APP } from './names.ts'
import { isSampled, within } from './span.ts'

export function createWorkSpans(tracer: Tracer): WorkSpans {
  return {
    step(name, given, work) {
      if (!trace.getActiveSpan()?.isRecording()) return work(given)
      return within(tracer.startSpan(name), context.active(), () => work(given))
    },
    caller: () => trace.getSpanContext(context.active()),
    callerAt: (place) => (place === undefined ? undefined : trace.getSpanContext(place as Context)),
    batch(name, members, items, work) {
      const links = members
        .map(({ caller }) => caller)
        .filter((caller) => caller !== undefined)
        .filter(isSampled)
      if (name === undefined || links.length === 0) return context.with(ROOT_CONTEXT, work, undefined, items)
      const options = {
        links: links.map((caller) => ({ context: caller })),
        attributes: { [APP.batchTasks]: members.length },
      }
      return within(tracer.startSpan(`${name} batch`, options, ROOT_CONTEXT), ROOT_CONTEXT, () => work(items))
    },
    apart: (work) => context.with(ROOT_CONTEXT, work),
  }
}
