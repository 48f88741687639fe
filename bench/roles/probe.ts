// Loaded before Nightshift's own consumer (`node --import`): wraps the handler of trial.echo, to note when it begins.
// Nothing else of the consumer is changed.
import handlers from 'nightshift-pack-trial/handlers'
import { createNotes } from './notes.ts'

const note = createNotes()
for (const handler of handlers.filter(({ contract }) => contract.name === 'trial.echo')) {
  const { handle } = handler
  const noted: typeof handle = (context) => {
    note(context.payload)
    return handle(context)
  }
  Object.assign(handler, { handle: noted })
}
