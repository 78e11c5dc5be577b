import type { ErrorCode } from '../../errors.ts'
import type { NearEntry } from '../../near/local-tier.ts'
import type { Entry } from '../../protocol/entry.ts'
import type { Limit, QuietTimers } from '../../runtime/deadline.ts'
import type { Coded, Core, Emit, Life } from '../core.ts'
import type { Found } from '../look.ts'
import type { Schema } from '../schema.ts'
import type { GetOrSetOptions, Loader, WaitUntil } from '../types.ts'
import type { Context, Space } from '../versions.ts'

/** A decoded value, which may be undefined. */
export interface Decoded {
  readonly value: unknown
}

/** No load was needed, or there is none to wait for any more: the caller reads the store again. */
export interface ReadAgain {
  /** The id of the entry that the store's own clock has just called fresh; `''`: none. */
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
  /** How long a stale copy is served after a failure without another try. */
  readonly backoffMs: number
  /** How long a failure is shared with other processes; 0: it is not shared. */
  readonly shareMs: number
  /** The longest time that what is read stays in the near tier. */
  readonly nearMs: number
  readonly schema: Schema | undefined
  readonly migrate: GetOrSetOptions['migrate']
}

/** What decides whether a caller may share a running load. */
export interface JoinRequest {
  readonly storedKey: string
  /** Number of loaders started when the caller came. Without a lease, it may share only loads that start after it arrived. */
  readonly startsAtArrival: number
  /** What the caller's own read has shown; undefined: the store did not answer. */
  readonly reading?: Found | undefined
  /** The versions that the running load was known to have captured before that read was sent. */
  readonly knownVersions?: Context | undefined
  /** No caller waits for the result. */
  readonly background?: boolean | undefined
  /** The load goes on when every caller has left. */
  readonly finish?: boolean | undefined
  /** Called when it is known whether this load runs its loader now (`false`) or waits for another's (`true`). */
  readonly onDecided?: ((waits: boolean) => void) | undefined
}

/** One load, as it was asked for. Nothing of it changes while the load runs. */
export interface LoadRequest extends JoinRequest {
  readonly through: ReadThrough
  readonly settings: LoadSettings
  /** The caller's key. */
  readonly key: string
  readonly loader: Loader<unknown>
  /** The call's tags, and those that an earlier loader named. Their versions are captured before the loader runs. */
  readonly tags: readonly string[]
  readonly hardMs: number
  /** The id of an entry that counts as absent. */
  readonly deadId?: string | undefined
  /** Loads although there is a fresh value. */
  readonly early?: boolean
}

/** The lease of a load, and what it was taken on. */
export interface Lease {
  /** `''`: the load holds no lease. */
  token: string
  /** The id of the copy that the lease was taken on; `''`: there was none. */
  copyId: string
  /** The versions that were captured with it. */
  versions: Context | undefined
  /** The load that ran before this one. Kept only until the lease is settled: that load may still hold it. */
  predecessor: Load | undefined
  /** Another process holds the lease, and this load no longer waits for it. It stores nothing. */
  isBeside: boolean
}

/** The callers of a load. */
export interface Callers {
  count: number
  /** One of them asked that the load goes on when all have left. */
  finish: boolean | undefined
  /** The load goes on without callers: something keeps it alive, and its value will be stored. */
  isKept: boolean | undefined
}

/** One run of a loader, or the wait for the run of another process. `flight.ts` describes its states. */
export interface Load {
  readonly request: LoadRequest
  readonly lease: Lease
  readonly callers: Callers
  readonly stop: AbortController
  /** Of callers' own deadlines, which keep no process alive once the cache is closed. */
  readonly timers: QuietTimers
  /** `core.heard`, the number of answers of the store, when the load began. */
  readonly answerCount: number
  /** Of the near tier, from before the load began. */
  readonly ticket: number | undefined
  /** Undefined: the loader returned undefined. */
  result: Promise<Coded | ReadAgain | undefined>
  /** Set when its loader starts: the number of that start. */
  startNumber: number
  /** Epoch ms after which the load counts as dead: its request may have ended without a word. */
  aliveUntilMs: number
  isOver: boolean
  /** Its key was written or deleted: its value is for its own callers only. */
  isDetached: boolean
  /** Its value is not stored, by this error; `''`: by a caller's wish; undefined: it is stored. */
  dropCode: ErrorCode | '' | undefined
  /** A write that no lease guards (plain format), in progress. */
  fill?: Promise<unknown>
  /** Stops the renewal of its lease, and lets its other timer keep no process alive. */
  quietTimers?: () => void
  /** A second load, shared by those callers of this one whose deadline has passed (`onDeadline: 'load'`). */
  pastDeadline?: Load
}

/** The running loads of a cache and its views. */
export interface Loads {
  /** The running load that this caller may share; undefined: it must begin one. Leave a load with `leave`. */
  join(caller: JoinRequest): Load | undefined
  /** Begins a load, which later callers may join. */
  begin(request: LoadRequest): Load
  /** Begins a load that nobody joins, and whose value is not stored. */
  beginUnshared(request: LoadRequest): Load
  /**
   * A load for callers whose deadline has passed: shared by the callers of `load`, or by those who came before it started;
   * its value is not stored.
   */
  beginPastDeadline(load: Load | undefined, caller: JoinRequest, make: () => LoadRequest): Load
  leave(load: Load): void
  /** Number of loaders started so far. */
  starts(): number
  /** Whether a caller that has read `reading` may share this load. */
  mayJoin(load: Load, reading: Found | undefined, startsAtArrival: number): boolean
  /** Lets a load go on without callers, as long as the runtime allows; false: nothing would keep it alive. */
  continueInBackground(load: Load, view: Pick<ReadThrough, 'emit' | 'waitUntil'>): boolean
  /** Detaches a running load from its key: only its present callers get its value. Resolves when its write is done. */
  detach(storedKey: string): Promise<unknown> | undefined
  /** The token of the lease under which a load of this process runs; `''`: none does. */
  leaseOf(storedKey: string): string
  /** `close` waits for this call, within its bound: a caller that has followed a load may still have to read its value. */
  track<T>(call: Promise<T>): Promise<T>
  /** The versions that the running load has captured. To join it, a caller must have read those tags. */
  versionsOf(storedKey: string): Context | undefined
  /** Waits up to a second for running loads and their callers, then gives the leases of the others back. */
  close(): Promise<void>
}

/** What a read-through needs of its view. */
export interface ReadThrough {
  readonly core: Core
  readonly loads: Loads
  readonly space: Space
  readonly emit: Emit
  readonly waitUntil: WaitUntil | undefined
  /** What the near tier holds, fresh or in grace, of values that this schema has checked. */
  held(key: string, schema?: Schema): NearEntry | undefined
  /** Counts and reports that a value was returned to a caller. */
  served(as: 'hit' | 'stale'): void
  /**
   * The value of a usable entry; undefined when it cannot be decoded, or its schema refuses it. Counts and reports it as
   * `as`, and keeps it near for as long as the settings allow. Rejects past the limit.
   */
  open(
    storedKey: string,
    entry: Entry,
    limit: Limit,
    as?: 'hit' | 'stale',
    context?: OpenContext,
  ): Decoded | undefined | Promise<Decoded | undefined>
  /** Keeps near what the store has not confirmed; it is served while `stands` returns true. */
  keep(
    key: string,
    coded: Coded,
    life: Life,
    tags: readonly string[],
    ticket: number | undefined,
    stands?: () => boolean,
    schema?: Schema,
  ): Promise<void>
  miss(): void
}

/** For what an entry is opened. */
export interface OpenContext {
  /** The caller's key. */
  readonly key: string
  readonly found: Pick<Found, 'atMs' | 'ticket' | 'status'>
  readonly plan?: Pick<LoadSettings, 'nearMs' | 'schema' | 'migrate'> | undefined
}
