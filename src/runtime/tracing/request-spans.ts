/** The spans of a request: what express cannot say of it, and the acceptance of each task. */
import { type Context, context, type Tracer, trace } from '@opentelemetry/api'
import type { Place, RequestSpans } from './contract.ts'
import { APP } from './names.ts'
import { attributesOf, contextOf, fail } from './span.ts'

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
    place: () => context.active(),
    about(place, id, name) {
      spanAt(place)?.setAttributes({ [APP.taskId]: id, [APP.taskName]: name, [APP.attempt]: 0 })
    },
    accepting(place, task) {
      if (!spanAt(place)?.isRecording()) return undefined
      const span = tracer.startSpan(`accept ${task.name}`, { attributes: attributesOf(task, 0) }, place as Context)
      return {
        context: contextOf(span),
        caller: span.spanContext(),
        end(refused, id) {
          if (id !== undefined) span.setAttribute(APP.taskId, id)
          if (refused !== undefined) fail(span, refused)
          span.end()
        },
      }
    },
  }
}

const spanAt = (place: Place) => (place === undefined ? undefined : trace.getSpan(place as Context))
