import type { AtomicStore } from '../store/store.ts'

/**
 * Why a key was not moved. `foreign-type`: it is a hash, a list or another type. `hashed-key`: it is stored under a digest, and
 * its name is not beside it. `binary-key`: its name is not text. `key-too-long`, `value-too-large`: more than a store takes.
 * `bytes`: the target takes text only. `tag-version`, `needs-operations`: hither's own key, useless without operations.
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
  /** The first 100 keys. */
  readonly keys: readonly string[]
}

export interface MigrateResult {
  /** Keys that were copied to the target. A key that a scan returned twice counts twice. */
  readonly copied: number
  /** Bytes of the copied values. */
  readonly bytes: number
  /** Keys that were deleted, or whose lifetime ended, before they could be copied. */
  readonly gone: number
  /** Keys that were left alone, with `existing: 'keep'`, because the target had them. */
  readonly kept: number
  readonly notMoved: readonly NotMoved[]
}

export interface MigrateProgress extends Omit<MigrateResult, 'notMoved'> {
  readonly notMoved: number
  /** Number of keys in the source when the run began; undefined if the source does not say, or for a part of its keys. */
  readonly total: number | undefined
}

/** Keeps the progress of a run, so that another run can resume it. */
export interface MigrateState {
  /** Resolves to the text that `save` was last called with; undefined: the run begins. */
  load(): Promise<string | undefined>
  /** `undefined`: the run has ended. The text holds key names, but no values. */
  save(state: string | undefined): Promise<void>
}

export interface MigrateOptions {
  /** Only keys of this namespace and of those nested in it, with hither's own keys for them. @default all keys */
  readonly namespace?: string
  /** The keys to copy, instead of a scan, for a source that cannot list its keys. A resumed run starts again. */
  readonly keys?: Iterable<string> | AsyncIterable<string>
  /** What happens to a key that the target has: `replace` copies over it, `keep` leaves it alone. @default 'replace' */
  readonly existing?: 'replace' | 'keep'
  /** Most keys a second. @default 10000 */
  readonly keysPerSecond?: number
  /** Most bytes of values a second. @default 50000000 */
  readonly bytesPerSecond?: number
  /** How long calls to a failing store are tried again before the run rejects, in milliseconds. @default 10000 */
  readonly patienceMs?: number
  /** Makes the run resumable. @default none: a repeated run starts again, and loses nothing */
  readonly state?: MigrateState
  /** Called after each portion of keys. Errors that it throws are ignored. */
  readonly onProgress?: (progress: MigrateProgress) => void
  /** Ends the run after the current portion. The run then rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** What a dual store reports, without keys. `behind`: a write did not reach the other store, and is tried again later. */
export type DualStoreEvent =
  | { readonly type: 'behind'; readonly store: string; readonly error: unknown; readonly pending: number }
  /** More keys are pending than can be remembered. Run `migrate` again before you use the other store. */
  | { readonly type: 'lost-track'; readonly store: string }
  /** All pending keys have reached the other store. */
  | { readonly type: 'caught-up'; readonly store: string }

export interface DualStoreOptions {
  /**
   * The store that decides. `'from'`: before and during `migrate`. `'to'`: afterwards; a key that `to` lacks is then read from
   * `from`. @default 'from'
   */
  readonly reads?: 'from' | 'to'
  /** Longest wait for the other store after a write, in milliseconds. @default 1000 */
  readonly mirrorTimeoutMs?: number
  readonly onEvent?: (event: DualStoreEvent) => void
}

export interface DualStore extends AtomicStore {
  /** Number of keys whose last write has not reached the other store yet. */
  readonly pending: number
  /** Copies the pending keys to the other store. Rejects as the stores do. */
  sync(): Promise<void>
}
