// Loaded before a consumer (`node --import`): trial.echo also asks its own database, in its transaction, and the URL that
// its payload names.
import handlers from 'nightshift-pack-trial/handlers'

for (const handler of handlers.filter(({ contract }) => contract.name === 'trial.echo')) {
  const calling: typeof handler.handle = async ({ payload, tx }) => {
    const response = await fetch((payload as { url: string }).url)
    await response.text()
    return tx(async ({ query }) => (await query<{ two: number }>('select 1 + 1 as two')).rows[0])
  }
  Object.assign(handler, { handle: calling, contract: { ...handler.contract, effects: 'external' } })
}
