// Remembers the statements that go through a database, each with a way to ask PostgreSQL for its plan as it was run:
// by the same role, with the same values.
import type { Connection, Db, Queryable } from '../../src/store/db.ts'
import type { Statement } from '../../src/store/statement.ts'

export interface Recorded {
  readonly text: string
  /** Lines of EXPLAIN with these options; the statement is run if they say so. @param before run first, such as a `set` */
  explain(options: string, before?: string): Promise<string[]>
}

/** Wraps a database; `statements` grows with what is asked. */
export function recorded(db: Db): { readonly db: Db; readonly statements: Recorded[] } {
  const statements: Recorded[] = []

  function recording(target: Queryable, role: readonly string[]): Queryable {
    return {
      async query<Row>(statement: Statement<Row>, values: readonly unknown[] = []): Promise<Row[]> {
        statements.push({
          text: statement.text,
          explain: (options, before) =>
            db.transaction(async (connection) => {
              for (const sql of [...(before ? [before] : []), ...role]) await connection.raw(sql)
              const { rows } = await connection.raw<{ 'QUERY PLAN': string }>(
                `explain (${options}) ${statement.text}`,
                values,
              )
              return rows.map((row) => row['QUERY PLAN'])
            }),
        })
        return target.query(statement, values)
      },
    }
  }

  return {
    statements,
    db: {
      ...recording(db, []),
      close: () => db.close(),
      transaction: (work, signal) =>
        db.transaction((connection) => {
          const role: string[] = []
          const raw: Connection['raw'] = (sql, values) => {
            role.push(sql)
            return connection.raw(sql, values)
          }
          return work({ ...recording(connection, role), raw })
        }, signal),
    },
  }
}
