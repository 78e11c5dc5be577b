import type { AtomicStore } from '../store/store.ts'
import type { Cookies } from './cookie.ts'
import type { Fields } from './fields.ts'

/** The settings and parts that all sessions of one `createSessions` share. */
export interface SessionMaker {
  readonly store: AtomicStore
  readonly cookies: Cookies
  readonly fields: Fields
  readonly idleMs: number
  readonly absoluteMs: number
  /** How old `seenMs` must be before a request extends the idle time. */
  readonly touchAfterMs: number
  sessionKey(handle: string): string
  generationKey(subject: string): string
  listKey(subject: string): string
}
