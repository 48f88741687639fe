// A collector for one test: takes spans by OTLP over HTTP, as JSON, and answers with them.
// https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { until } from './until.ts'

export type Value = string | number | boolean | Value[]

export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly name: string
  readonly kind: 'INTERNAL' | 'SERVER' | 'CLIENT' | 'PRODUCER' | 'CONSUMER'
  readonly attributes: Readonly<Record<string, Value>>
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly isError: boolean
  /** Milliseconds since 1970. */
  readonly startMs: number
  readonly endMs: number
  /** `service.name` of the process. */
  readonly service: string
}

export interface OtlpReceiver {
  readonly url: string
  /** What processes need to send here soon after each span ends. */
  readonly env: Readonly<Record<string, string>>
  /** All that came so far. */
  readonly spans: readonly ReceivedSpan[]
  /** How many times a process has sent anything. */
  readonly requests: number
  /** Waits for the one span that fits. */
  span(what: string, fits: (span: ReceivedSpan) => boolean): Promise<ReceivedSpan>
  close(): Promise<void>
}

export async function anOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = []
  let requests = 0
  const server = createServer(async (request, response) => {
    requests += 1
    spans.push(...spansOf(JSON.parse(await text(request)) as Export))
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    url,
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json', OTEL_BSP_SCHEDULE_DELAY: '50' },
    spans,
    get requests() {
      return requests
    },
    async span(what, fits) {
      const found = await until(`the span of ${what}`, () => {
        const fitting = spans.filter(fits)
        return fitting.length > 0 && fitting
      })
      if (found.length > 1) throw new Error(`${found.length} spans are of ${what}, not one: ${JSON.stringify(found)}`)
      return found[0] as ReceivedSpan
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

interface Any {
  readonly stringValue?: string
  readonly intValue?: number | string
  readonly doubleValue?: number
  readonly boolValue?: boolean
  readonly arrayValue?: { readonly values?: readonly Any[] }
}
type Attributes = readonly { readonly key: string; readonly value: Any }[]

interface Export {
  readonly resourceSpans?: readonly {
    readonly resource: { readonly attributes: Attributes }
    readonly scopeSpans: readonly { readonly spans: readonly ExportedSpan[] }[]
  }[]
}

interface ExportedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly attributes?: Attributes
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[]
  readonly status?: { readonly code?: number }
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
}

const KINDS = ['INTERNAL', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'] as const
const ERROR = 2

function spansOf({ resourceSpans = [] }: Export): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) => {
    const service = String(attributesOf(resource.attributes)['service.name'])
    return scopeSpans.flatMap(({ spans }) => spans.map((span) => spanOf(span, service)))
  })
}

function spanOf(span: ExportedSpan, service: string): ReceivedSpan {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId || undefined,
    name: span.name,
    kind: KINDS[span.kind] ?? 'INTERNAL',
    attributes: attributesOf(span.attributes),
    links: (span.links ?? []).map(({ traceId, spanId }) => ({ traceId, spanId })),
    isError: span.status?.code === ERROR,
    startMs: Number(span.startTimeUnixNano) / 1e6,
    endMs: Number(span.endTimeUnixNano) / 1e6,
    service,
  }
}

function attributesOf(attributes: Attributes = []): Record<string, Value> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, scalarOf(value)]))
}

function scalarOf({ stringValue, intValue, doubleValue, boolValue, arrayValue }: Any): Value {
  if (arrayValue) return (arrayValue.values ?? []).map(scalarOf)
  return stringValue ?? (intValue === undefined ? (doubleValue ?? boolValue ?? '') : Number(intValue))
}
