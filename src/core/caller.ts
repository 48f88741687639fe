/** Who calls, what they may do, and whose tasks they may see. */

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

/** Whose tasks may be seen: one client's, or everybody's (scopes `operate` and `admin`). */
export type Viewer = { readonly client: string } | 'everybody'

/** Names the client whose tasks alone the viewer may see; null when the viewer may see everybody's. */
export function clientOf(viewer: Viewer): string | null {
  return viewer === 'everybody' ? null : viewer.client
}

/** Who does something to tasks by hand, in which request, and why. */
export interface Actor {
  readonly name: string
  readonly requestId: string
  readonly reason: string | null
}
