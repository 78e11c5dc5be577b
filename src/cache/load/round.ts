import type { NearEntry } from '../../near/local-tier.ts'
import type { Entry } from '../../protocol/entry.ts'
import type { Reading } from '../judge.ts'
import type { LoadCall } from '../model.ts'
import type { PendingReads } from '../reading.ts'
import type { CapturedVersions } from '../versions.ts'

/** What was read for a caller before its first round. */
export interface FirstReads {
  /** Number of loaders started when the caller arrived. */
  readonly startsAtArrival: number
  /** The near tier entry of its key; undefined: there is none. */
  readonly near: NearEntry | undefined
  /** Its reads that are under way; undefined: there are none. */
  readonly pending: PendingReads | undefined
}

export interface Caller extends LoadCall {
  readonly startsAtArrival: number
}

/** What a caller knows in one round of its read-through. */
export interface Round {
  readonly caller: Caller
  /** Load although the entry is fresh. */
  readonly force: boolean
  readonly near: NearEntry | undefined
  /** Undefined: the store is down. */
  readonly reading: Reading | undefined
  /** The versions that the running load was known to have captured before the read was sent. */
  readonly knownVersions: CapturedVersions | undefined
  /** The id of an entry that counts as absent. */
  deadId: string | undefined
  /** The entry that may be served in place of a load. */
  stale: Entry | undefined
}
