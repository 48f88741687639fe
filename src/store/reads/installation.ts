/** Which installation this database belongs to. */
import type { Queryable } from '../db.ts'
import { statement, theRow, uuid } from '../statement.ts'

const INSTALLATION = statement({ name: 'installation', text: 'select id from installation', row: { id: uuid() } })

/** Reads the id that the baseline migration gave this installation. */
export async function readInstallation(db: Queryable): Promise<string> {
  return theRow(await db.query(INSTALLATION)).id
}
