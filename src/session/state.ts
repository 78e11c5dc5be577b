import type { Field, OpenField } from './fields.ts'

/** What one request knows of its session. */
export interface State {
  /** Where it is stored; undefined while it is new, and after `rotate` and `destroy`. */
  place: { readonly id: string; readonly handle: string; readonly key: string; readonly seenMs: number } | undefined
  /** What the store held, by stored name. */
  stored: ReadonlyMap<string, OpenField>
  /** What this request has done since; undefined deletes. */
  readonly changed: Map<string, Field | undefined>
  /** What an object was when it was read, to find those that are changed in place. */
  readonly snapshots: Map<string, string>
  subject: string
  /** The subject's generation that it is bound under; '' for none. */
  generation: string
  newSubject: string | undefined
  /** When the session began that goes on under a new id, in ms by the store's clock; 0: it begins when it is saved. */
  createdMs: number
  /** The id under which it is stored, though nothing was put into it: its old one has ended. '' for one that was not rotated. */
  nextId: string
  /** The client holds a cookie that opens nothing any more. */
  clearCookie: boolean
  /** Another request has ended it: nothing is stored, and no cookie is sent over that request's. */
  endedElsewhere: boolean
}

/** Forgets what the store held. */
export function forget(state: State): void {
  state.place = undefined
  state.stored = new Map()
  state.snapshots.clear()
  state.subject = ''
  state.generation = ''
  state.createdMs = 0
  state.nextId = ''
}
