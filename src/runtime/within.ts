/** Gives what the work gives, or rejects with what `late` makes when it takes longer. The work itself is not stopped. */
export async function within<Result>(ms: number, work: Promise<Result>, late: () => Error): Promise<Result> {
  // Not `timers/promises` with a signal: aborting it makes an error for every call.
  let timer: NodeJS.Timeout | undefined
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), ms)
  })
  try {
    return await Promise.race([work, tooLong])
  } finally {
    clearTimeout(timer)
  }
}
