// A collector that reads what it is sent and throws it away, so that only the cost of tracing itself is measured.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface OtlpSink {
  /** What a process needs to send a share of its traces here, from 0 to 1. */
  envOf(ratio: number): Readonly<Record<string, string>>
  close(): Promise<void>
}

export async function openOtlpSink(): Promise<OtlpSink> {
  const server = createServer((request, response) => {
    request.resume().once('end', () => response.writeHead(200).end())
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    envOf: (ratio) => ({
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: String(ratio),
    }),
    async close() {
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
}
