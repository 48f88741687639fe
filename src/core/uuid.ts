/** The form of a task's id. */

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Tells whether a text is a UUID in lower case, as PostgreSQL writes it. What people typed is put in lower case first. */
export function isUuid(text: string): boolean {
  return UUID.test(text)
}
