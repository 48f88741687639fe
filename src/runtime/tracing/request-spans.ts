/** The spans of a request: what express cannot say of it, and the acceptance of each task. */
import { context, type Tracer, trace } from '@opentelemetry/api'
import type { RequestSpans } from './contract.ts'
import { APP } from './names.ts'
import { attributesOf, contextOf, within } from './span.ts'

export function createRequestSpans(tracer: Tracer): RequestSpans {
  return {
    request(requestId, offered) {
      const span = trace.getActiveSpan()
      if (!span) return { ...offered, traceparent: `${offered.traceparent.slice(0, -2)}00` }
      span.setAttribute(APP.requestId, requestId)
      return contextOf(span)
    },
    route(method, path) {
      trace.getActiveSpan()?.updateName(`${method} ${path}`).setAttribute('http.route', path)
    },
    about(id, name) {
      trace.getActiveSpan()?.setAttributes({ [APP.taskId]: id, [APP.taskName]: name, [APP.attempt]: 0 })
    },
    accept(task, work) {
      if (!trace.getActiveSpan()?.isRecording()) return work(task)
      const span = tracer.startSpan(`accept ${task.name}`, { attributes: attributesOf(task, 0) })
      return within(span, context.active(), () => work({ ...task, ...contextOf(span) }))
    },
  }
}
