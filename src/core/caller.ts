/** Who calls, and what they may do. */

/**
 * `submit` sends tasks and cancels or repeats its own, `read` sees its own, `operate` sees and changes everybody's,
 * `admin` may do all of it.
 */
export const SCOPES = ['submit', 'read', 'operate', 'admin'] as const
export type Scope = (typeof SCOPES)[number]

export interface Caller {
  readonly client: string
  readonly scopes: readonly Scope[]
}
