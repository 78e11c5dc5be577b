import type { Field, OpenField } from './fields.ts'

/** The state of a session within one request. */
export interface State {
  /** Where the session is stored; undefined while it is new, and after `rotate` and `destroy`. */
  place: { readonly id: string; readonly handle: string; readonly key: string; readonly seenMs: number } | undefined
  /** The fields in the store when they were read or saved last, by stored name. */
  stored: ReadonlyMap<string, OpenField>
  /** Changes by this request that are not saved yet; undefined deletes the field. */
  readonly changed: Map<string, Field | undefined>
  /** The text of each object when it was read, to detect changes in place. */
  readonly snapshots: Map<string, string>
  subject: string
  /** The subject's generation when the session was bound; '' for none. */
  generation: string
  newSubject: string | undefined
  /** When a rotated session began under its first id, in ms by the store's clock; 0: the session begins when it is saved. */
  createdMs: number
  /** The new id of a rotated session. `save` stores the session under it even if it is empty. '' for one that was not rotated. */
  nextId: string
  /** The client has a cookie that no longer opens a session. */
  clearCookie: boolean
  /** Another request has ended the session: `save` stores nothing, and sends no cookie that would replace that request's. */
  endedElsewhere: boolean
}

/** Detaches the state from its stored session. Unsaved changes remain. */
export function forget(state: State): void {
  state.place = undefined
  state.stored = new Map()
  state.snapshots.clear()
  state.subject = ''
  state.generation = ''
  state.createdMs = 0
  state.nextId = ''
}
