import type { NearEntry } from '../../near/local-tier.ts'
import type { Entry } from '../../protocol/entry.ts'
import type { Limit } from '../../runtime/deadline.ts'
import type { Found, Sent } from '../look.ts'
import type { Loader } from '../types.ts'
import type { Context } from '../versions.ts'
import type { JoinRequest, LoadSettings, ReadThrough } from './types.ts'

/** One call of `getOrSet`. */
export interface LoadCall {
  readonly through: ReadThrough
  readonly key: string
  readonly loader: Loader<unknown>
  readonly settings: LoadSettings
  readonly limit: Limit
  readonly onDecided?: JoinRequest['onDecided']
}

/** What was read for a caller before it came here. */
export interface FirstReads {
  /** Number of loaders started when it came. */
  readonly startsAtArrival: number
  /** What the near tier holds. */
  readonly near: NearEntry | undefined
  /** Its reads, on their way; undefined: none. */
  readonly pending: Sent | undefined
}

export interface Caller extends LoadCall {
  readonly storedKey: string
  readonly startsAtArrival: number
}

/** What a caller knows in one round of its read-through. */
export interface Round {
  readonly caller: Caller
  /** Load although the entry is fresh. */
  readonly force: boolean
  readonly near: NearEntry | undefined
  /** Undefined: the store is down. */
  readonly reading: Found | undefined
  /** The versions of the running load, from before the read was sent. */
  readonly knownVersions: Context | undefined
  /** The id of an entry that counts as absent. */
  deadId: string | undefined
  /** The entry that may be served in place of a load. */
  stale: Entry | undefined
}
