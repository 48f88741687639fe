// Loaded before a consumer (`node --import`): trial.echo also sets a key in the Redis whose port its payload names,
// by a library that is not instrumented unless asked for, and asks its own database.
import handlers from 'nightshift-pack-trial/handlers'

for (const handler of handlers.filter(({ contract }) => contract.name === 'trial.echo')) {
  const calling: typeof handler.handle = async ({ payload, tx }) => {
    // Imported as a pack would be, after tracing has started.
    const { Redis } = await import('ioredis')
    const redis = new Redis({ port: (payload as { port: number }).port, enableReadyCheck: false })
    await redis.set('greeting', 'hello')
    redis.disconnect()
    return tx(async ({ query }) => (await query<{ two: number }>('select 1 + 1 as two')).rows[0])
  }
  Object.assign(handler, { handle: calling, contract: { ...handler.contract, effects: 'external' } })
}
