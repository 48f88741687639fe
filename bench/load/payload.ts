// The payload of every task of every system: 300 bytes as JSON.

const BYTES = 300

/** Stands in a body where the moment goes that a request is due: as long as that moment, so lengths stay the same. */
export const DUE_PLACE = '0000000000000.000'

/** The payload without a moment in it. */
export const PAYLOAD: Readonly<Record<string, unknown>> = padded({})

/** The payload with a place for the moment it is due, which the handler compares with its own start. */
export const PAYLOAD_WITH_DUE: Readonly<Record<string, unknown>> = padded({ due: DUE_PLACE })

/** The payload with the moment it is due. */
export function payloadDueAt(ms: number): Readonly<Record<string, unknown>> {
  return { ...PAYLOAD_WITH_DUE, due: ms.toFixed(3) }
}

function padded(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const bare = JSON.stringify({ ...fields, note: '' }).length
  return { ...fields, note: 'nightshift '.repeat(BYTES).slice(0, BYTES - bare) }
}
