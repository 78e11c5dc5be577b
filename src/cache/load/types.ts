import type { Schema } from '../schema.ts'
import type { GetOrSetOptions } from '../types.ts'
import type { Coded, Life } from '../value-form.ts'

/**
 * A load ended without a value: the store had a fresh entry, or there is nothing left to wait for. The caller reads the store
 * again.
 */
export interface ReadAgain {
  /** The id of the entry that was fresh a moment ago by the store's own clock; `''`: there is none. */
  readonly liveId: string
  /** A load failed a moment ago, and its failure is shared with callers that ask for it. */
  readonly failed?: boolean
}

/** The options of a load, checked. Durations are in milliseconds. */
export interface LoadSettings {
  readonly options: GetOrSetOptions
  readonly life: Life
  readonly tags: readonly string[]
  readonly hardMs: number
  readonly softMs: number
  /** How long a stale copy is served after a failure without another load. */
  readonly backoffMs: number
  /** How long a failure is shared with other processes; 0: it is not shared. */
  readonly shareMs: number
  /** How long an entry that was read stays in the near tier at most. */
  readonly nearMs: number
  readonly schema: Schema | undefined
  readonly migrate: GetOrSetOptions['migrate']
}

/** What a loader decided about its value. */
export interface LoaderDecisions {
  life: Life
  /** The loader set a lifetime. */
  hasLifetime?: boolean
  /** The loader set a lifetime of 0: the value is returned and not stored. */
  isUncached?: boolean
  tags: readonly string[]
  /** The loader called `notModified()` and returned the previous value. */
  keepsPrevious?: boolean
  /** The loader called `skip()`: the value is returned and not stored. */
  skips?: boolean
}

export interface LoaderRun {
  /** Undefined: the loader returned undefined. */
  readonly coded: Coded | undefined
  readonly decisions: LoaderDecisions
  readonly startedMs: number
}

/** How a lease ends without a value. */
export interface Ending {
  /** `fail` and `gone` leave a failure record for the followers; `gone` deletes the stale copy as well. */
  readonly verb?: 'release' | 'fail' | 'gone'
  /** How long the failure is shared, in milliseconds. */
  readonly shareMs?: number
  /** The request for the lease failed and may reach the store after this release, which is then repeated. */
  readonly inDoubt?: boolean
}
