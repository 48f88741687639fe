/**
 * A statement with the row it returns, written once: TypeScript infers the type of the row from it, and a test prepares
 * every statement against the migrated schema and compares names, types and what can be null. Nothing is done per query.
 */

/** What a column holds once it has been read; `Value` is for TypeScript only. */
export interface Column<Value> {
  /** The type as PostgreSQL names it in pg_type. */
  readonly type: string
  readonly isNullable: boolean
  /** The code says that it is never null where the schema cannot tell: an expression, or the inner side of an outer join. */
  readonly isVouchedFor: boolean
  readonly value?: Value
}

type ColumnsOf<Row> = { readonly [Name in keyof Row]: Column<Row[Name]> }

export interface Statement<Row> {
  /** A statement with a name is prepared once per connection. */
  readonly name?: string
  readonly text: string
  readonly row?: ColumnsOf<Row>
}

/** The type of the rows that a statement returns. */
export type RowOf<Of> = Of extends Statement<infer Row> ? Readonly<Row> : never

/** Every statement that the modules loaded so far have made, for the test that compares them with the schema. */
export const statements: Required<Pick<Statement<unknown>, 'text' | 'row'>>[] = []

/** Makes a statement; called once per statement, when its module is loaded. What returns no row has `row: {}`. */
export function statement<Row>(made: Statement<Row> & { readonly row: ColumnsOf<Row> }): typeof made {
  statements.push(made as (typeof statements)[number])
  return made
}

const column = <Value>(type: string): Column<Value> => ({ type, isNullable: false, isVouchedFor: false })

export const text = <Value extends string = string>(): Column<Value> => column('text')
export const uuid = (): Column<string> => column('uuid')
export const int = (): Column<number> => column('int4')
/** Read as decimal text: a number would lose its last digits. */
export const bigint = (): Column<string> => column('int8')
export const float = (): Column<number> => column('float8')
export const bool = (): Column<boolean> => column('bool')
export const time = (): Column<Date> => column('timestamptz')
export const bytes = (): Column<Buffer> => column('bytea')
/** What the JSON holds nobody checks; it is what the code wrote there. */
export const jsonb = <Value>(): Column<Value> => column('jsonb')
/** Kept as it was written, to its last digit. */
export const json = <Value>(): Column<Value> => column('json')
export const texts = <Value extends string = string>(): Column<Value[]> => column('_text')
export const uuids = (): Column<string[]> => column('_uuid')

/** Says that a column can be null. */
export const nullable = <Value>(of: Column<Value>): Column<Value | null> => ({ ...of, isNullable: true })

/** Vouches that a column is never null though the schema cannot tell. */
export const neverNull = <Value>(of: Column<Value>): Column<Value> => ({ ...of, isVouchedFor: true })

/** Takes the row of a statement that always returns one. */
export function theRow<Row>(rows: readonly Row[]): Row {
  const [row] = rows
  if (row === undefined) throw new Error('a statement that always returns a row returned none')
  return row
}
