import type { NearTier } from '../../near/near-tier.ts'
import type { Codec } from '../../protocol/codec.ts'
import type { Duration } from '../../protocol/duration.ts'
import type { AtomicStore, Store } from '../../store/store.ts'
import type { ValueForm } from '../value-form.ts'
import type { WaitUntil } from './call-options.ts'
import type { CacheEvent } from './events.ts'
import type { LoadDefaults } from './load-options.ts'

interface CommonOptions {
  /**
   * Where entries live. Required, so that no cache is in memory by accident. Over a `Store` that runs no operations, such as
   * Workers' KV, two promises hold within one process only: one load runs per key, and no earlier load stores a deleted value
   * again.
   */
  readonly store: Store
  /** Keeps decoded values in this process, in front of the store: `nearTier()` of `hither/near`. @default none */
  readonly near?: NearTier
  /**
   * How long a value is fresh, unless a call says otherwise. Without a `ttl` entries have no end, and after a `clear` the
   * memory of an entry is freed only once its key is read again. The event `no-lifetime` reports such a cache once.
   * @default until it is deleted
   */
  readonly ttl?: Duration
  /** How long the store may take for one command. @default '1s' */
  readonly storeTimeout?: Duration
  /** How long a loader may run. @default '30s' */
  readonly hardTimeout?: Duration
  /** Called synchronously for each event. An error that the listener throws or rejects with is ignored. */
  readonly onEvent?: (event: CacheEvent) => void
  /** Makes the `keyHash` of an event from its key: `shortHash()` of `hither/keys`. @default events have no `keyHash` */
  readonly eventKeys?: ((key: string) => string) | undefined
  /**
   * Receives the work that continues after the response. The `waitUntil` of a request view takes precedence.
   * @default what the runtime supplies for the request; on Node the process itself, see `flush`
   */
  readonly waitUntil?: WaitUntil
  /**
   * With a near tier: gives each caller its own copy, which it may modify. With `false` callers share the near tier's values,
   * which are frozen, and the results of the cache have the type `Frozen<T>`. Without a near tier each hit is a copy in any
   * case. @default false
   */
  readonly mutable?: boolean
}

export interface CacheOptions extends CommonOptions, LoadDefaults {
  /** Letters, digits, `_` and `-`. Keys are `<namespace>:<key>`. @default 'hither' */
  readonly namespace?: string
  /**
   * Shortens a key that the store would refuse for its length, such as text a user has typed: `hashed()` of `hither/keys`.
   * It must return the same text for the same key, and different texts for different keys.
   * @default such a call rejects with `INVALID_KEY`
   */
  readonly longKeys?: ((key: string) => string) | undefined
  /** How much longer a stale value may be served when its refresh is slow or fails, unless a call says otherwise. @default 0 */
  readonly grace?: Duration
  /** Turns values into text and back. @default JSON that keeps Date, BigInt, Map, Set, bytes, NaN, and undefined in lists */
  readonly codec?: Codec | ValueForm
  readonly format?: undefined
}

/** The format of entries that other programs read and write as well: `plain()` of `hither/plain`. */
export interface PlainFormat {
  readonly plain: true
}

/** Entries shared with other programs: the key as given, JSON text as the value, the lifetime kept by the server. */
export interface PlainCacheOptions extends CommonOptions {
  /** `plain()` of `hither/plain`. */
  readonly format: PlainFormat
  readonly store: AtomicStore
}
