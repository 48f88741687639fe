// The one clock of the benchmark: milliseconds since 1970 with a fraction, comparable between processes of one machine
// and with PostgreSQL's clock_timestamp().

/** Tells the time now. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now()
}
