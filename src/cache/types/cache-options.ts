import type { NearTier } from '../../near/near-tier.ts'
import type { Codec } from '../../protocol/codec.ts'
import type { Duration } from '../../protocol/duration.ts'
import type { AtomicStore } from '../../store/store.ts'
import type { ValueForm } from '../value-form.ts'
import type { WaitUntil } from './call-options.ts'
import type { CacheEvent } from './events.ts'
import type { LoadDefaults } from './load-options.ts'

interface CommonOptions {
  /** Where entries live. Required: no cache is in memory by accident. */
  readonly store: AtomicStore
  /** Keeps decoded values in this process, in front of the store: `nearTier()` of `hither/near`. @default none */
  readonly near?: NearTier
  /**
   * How long a value counts as fresh where a call does not say. Without one entries have no end, and the memory of what
   * `clear` has ended is freed only as it is read: the event `no-lifetime` says so once. @default until it is deleted
   */
  readonly ttl?: Duration
  /** How long the store may take for one command. @default '1s' */
  readonly storeTimeout?: Duration
  /** How long a loader may run. @default '30s' */
  readonly hardTimeout?: Duration
  /** Told what happens, synchronously. What a listener throws, or rejects with, is ignored. */
  readonly onEvent?: (event: CacheEvent) => void
  /** What an event tells of its key, as `keyHash`: `shortHash()` of `hither/keys`. @default events say nothing of keys */
  readonly eventKeys?: ((key: string) => string) | undefined
  /** Where work goes that continues after the answer; a request view's goes before it. @default what the runtime supplies for the request; on Node the process itself, see `flush` */
  readonly waitUntil?: WaitUntil
  /**
   * Gives each caller a copy of its own where there is a near tier; without one a hit is a copy in any case. Else what is
   * kept near is shared and frozen, and the results of a cache with a near tier are typed `Frozen<T>`. @default false
   */
  readonly mutable?: boolean
}

export interface CacheOptions extends CommonOptions, LoadDefaults {
  /** Letters, digits, `_` and `-`. Keys are `<namespace>:<key>`. @default 'hither' */
  readonly namespace?: string
  /**
   * Shortens a key that the store would refuse for its length, such as text a user has typed: `hashed()` of `hither/keys`.
   * What it returns must be the same each time, and differ for different keys. @default such a call rejects with `INVALID_KEY`
   */
  readonly longKeys?: ((key: string) => string) | undefined
  /** How much longer a stale value may be served when its refresh fails, where a call does not say. @default 0 */
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
}
