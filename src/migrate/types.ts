import type { AtomicStore } from '../store/store.ts'

/**
 * Why a key was not moved. `foreign-type`: a hash, a list or another type. `hashed-key`: stored under a digest, its name is
 * not beside it. `binary-key`: its name is not text. `key-too-long`, `value-too-large`: more than a store takes. `bytes`: the
 * target takes text only. `tag-version`, `needs-operations`: a key of hither that is of no use on a store without operations.
 */
export type NotMovedReason =
  | 'foreign-type'
  | 'hashed-key'
  | 'binary-key'
  | 'key-too-long'
  | 'value-too-large'
  | 'bytes'
  | 'tag-version'
  | 'needs-operations'

export interface NotMoved {
  readonly reason: NotMovedReason
  readonly count: number
  /** The first 100 of them. */
  readonly keys: readonly string[]
}

export interface MigrateResult {
  /** Keys that the target now holds as the source does. A key that a scan returned twice counts twice. */
  readonly copied: number
  /** Bytes of their values. */
  readonly bytes: number
  /** Keys that ended before they could be copied: deleted, or past their lifetime. */
  readonly gone: number
  /** Keys that were left alone, with `existing: 'keep'`, since the target had them. */
  readonly kept: number
  readonly notMoved: readonly NotMoved[]
}

export interface MigrateProgress extends Omit<MigrateResult, 'notMoved'> {
  readonly notMoved: number
  /** Keys of the source when the run began, where it says so. */
  readonly total: number | undefined
}

/** Where a run leaves how far it came. */
export interface MigrateState {
  /** Resolves to what `save` was called with last; undefined: the run begins. */
  load(): Promise<string | undefined>
  /** `undefined`: the run has ended. The text holds key names, and no value. */
  save(state: string | undefined): Promise<void>
}

export interface MigrateOptions {
  /** Only keys of this namespace and those nested in it, the keys that hither keeps for it included. @default all keys */
  readonly namespace?: string
  /** The keys to copy, in place of a scan: for a source without one. With it a resumed run begins anew. */
  readonly keys?: Iterable<string> | AsyncIterable<string>
  /** What becomes of a key that the target has: `replace` makes it the source's. @default 'replace' */
  readonly existing?: 'replace' | 'keep'
  /** Most keys a second. @default 10000 */
  readonly keysPerSecond?: number
  /** Most bytes of values a second. @default 50000000 */
  readonly bytesPerSecond?: number
  /** How long a store that does not answer is tried again before the run rejects, in milliseconds. @default 10000 */
  readonly patienceMs?: number
  /** Makes the run resumable. @default none: a run that is repeated begins anew, and loses nothing */
  readonly state?: MigrateState
  /** Called after each portion of keys; what it throws is ignored. */
  readonly onProgress?: (progress: MigrateProgress) => void
  /** Ends the run after the portion at hand; it rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** Something a dual store noticed. Carries no key. `behind`: a write did not reach the other store, which is tried again. */
export type DualStoreEvent =
  | { readonly type: 'behind'; readonly store: string; readonly error: unknown; readonly pending: number }
  /** More keys are pending than are remembered: run `migrate` again before the other store is used. */
  | { readonly type: 'lost-track'; readonly store: string }
  /** Everything that was pending has reached it. */
  | { readonly type: 'caught-up'; readonly store: string }

export interface DualStoreOptions {
  /**
   * The store that decides. `'from'`: before and during `migrate`. `'to'`: after it; a key that `to` lacks is read from
   * `from`. @default 'from'
   */
  readonly reads?: 'from' | 'to'
  /** Longest wait for the other store after a write, in milliseconds. @default 1000 */
  readonly mirrorTimeoutMs?: number
  readonly onEvent?: (event: DualStoreEvent) => void
}

export interface DualStore extends AtomicStore {
  /** Keys whose last write has not reached the other store yet. */
  readonly pending: number
  /** Brings the pending keys over. Rejects as the stores do. */
  sync(): Promise<void>
}
