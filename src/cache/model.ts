/**
 * The data types of a cache; no code. A `Core` is shared by all views of a cache. A `View` is one namespace as one request
 * sees it. A `Call` is one call on one key. A `Flight` is one load that callers share.
 *
 * The way of a call: face → `read.ts` → `judge.ts` → `open.ts` for a hit; otherwise `load/flight.ts` → `load/lead.ts` →
 * `load/lease.ts` → `load/run-loader.ts` → `load/fill.ts`. Each of these takes the objects below; none passes a part of a view
 * on as a closure.
 */
import type { ErrorCode } from '../errors.ts'
import type { NearPart } from '../near/coherence.ts'
import type { Entry } from '../protocol/entry.ts'
import type { Reply } from '../protocol/operation.ts'
import type { Background } from '../runtime/background.ts'
import type { Limit, QuietTimers } from '../runtime/deadline.ts'
import type { KeyQueue } from '../runtime/key-queue.ts'
import type { PerTick } from '../runtime/per-tick.ts'
import type { StoreClock } from '../runtime/store-clock.ts'
import type { LastResort } from '../store/last-resort.ts'
import type { StoreBreaker } from '../store/outage.ts'
import type { AtomicStore, Store, Call as StoreCall } from '../store/store.ts'
import type { Known, Reading } from './judge.ts'
import type { Ending, LoaderRun, LoadSettings, ReadAgain } from './load/types.ts'
import type { TagsPart } from './parts/tags.ts'
import type { Recent } from './recent.ts'
import type { Steps } from './steps/by-effect.ts'
import type { CacheEvent, CacheOptions, CacheStats, LoadDefaults, Loader, ViewOptions } from './types.ts'
import type { Coded, Life, ValueForm } from './value-form.ts'
import type { CapturedVersions, NamespaceKeys, Stamp, VersionMemory } from './versions.ts'

export type Emit = (
  event: CacheEvent extends infer E ? (E extends unknown ? Omit<E, 'namespace' | 'name' | 'keyHash'> : never) : never,
  /** The caller's key, if the event is about one key. */
  key?: string,
) => void

/** How entries are stored. Optional members, except `verbs`, are for a format that stores a value as it is, without a header. */
export interface Format {
  /** Which options it takes (`options.ts`): 2 has namespaces, tags, grace and codecs; 1 has none of them. */
  readonly level: 1 | 2
  /** Checks the name of a cache's namespace and returns it; `''` in the plain format. Throws `INVALID_KEY`. */
  namespace(name: string): string
  /** The store with operations. Throws for a store that cannot keep this format. */
  atomic(store: Store): AtomicStore
  storedKey(namespace: string, key: string): string
  /** Undefined for text of an unknown form. */
  parse(text: string): Entry | undefined
  /** The form of values of a cache without a codec; undefined: that of its face. */
  readonly values?: ValueForm
  /** The atomic steps (`steps/entry.ts`), by effect. */
  readonly steps: Steps
  /** The steps that run every verb; undefined: `verbScripts`, which a small bundle does not contain. */
  readonly verbs?: Steps | undefined
  readonly leases: Lease
  /** Stores a loaded value. */
  fill(flight: Flight, run: LoaderRun & { readonly coded: Coded }): Promise<void>
  /** What a step must know of the value, if nothing has to be read for that. */
  readonly known?: Known
  /** The stamp of every write, in place of the current versions. */
  readonly stamp?: Stamp
  /** Reads a value that has no versions to compare. `queued`: as in `ReadRequest`. */
  read?(view: View, storedKey: string, queued: boolean): Promise<Reading>
  /** Writes without the step of an entry; undefined: this verb needs its step. */
  write?(core: Core, key: string, write: EntryWrite, call: StoreCall): Promise<Reply> | undefined
  /** Asks the store for the remaining lifetime, which the text of a value does not contain. */
  timeLeft?(target: Pick<Call, 'view' | 'storedKey' | 'limit'>): Promise<Reply>
}

/** What a write stores under a key, by `set`, `add`, `fill` or `rewrite` (`steps/values.ts`). */
export interface EntryWrite {
  readonly verb: string
  readonly coded: Coded
  readonly life: Life
  readonly versions: CapturedVersions
  /** How long its loader took, in milliseconds. */
  readonly loadMs?: number
  /** The token of the lease under which `fill` writes. */
  readonly token?: string
  /** The id of the entry that counts as absent, or that `rewrite` replaces. */
  readonly deadId?: string
  readonly id?: string
  /** The steps for `add`, which is not in every script. */
  readonly steps?: Steps | undefined
}

/** What a cache and its views share. */
export interface Core {
  readonly store: AtomicStore
  readonly format: Format
  readonly values: ValueForm
  readonly tags: TagsPart
  readonly near: NearPart
  readonly longKeys: CacheOptions['longKeys']
  /** The namespace of the cache itself; views may have others. `''` in the plain format. */
  readonly namespace: string
  readonly storeTimeoutMs: number
  readonly hardTimeoutMs: number
  /** The default lifetime, as it was given. */
  readonly ttl: CacheOptions['ttl']
  /** The default lifetime in milliseconds; 0: no end. */
  readonly ttlMs: number
  readonly graceMs: number
  readonly onEvent: CacheOptions['onEvent']
  readonly eventKeys: CacheOptions['eventKeys']
  /** Options of a load that its call does not name. */
  readonly loadDefaults: LoadDefaults
  readonly breaker: StoreBreaker
  readonly lastResort: LastResort
  readonly background: Background
  readonly versions: VersionMemory
  /** Decides whether an entry with grace is fresh. */
  readonly clock: StoreClock
  readonly stats: { -readonly [K in keyof CacheStats]: CacheStats[K] }
  /** Runs the calls on one stored key one at a time, if they take more than one command. */
  readonly queue: KeyQueue
  /** Reads of texts, and below of versions, that are in progress: calls of one tick share one read. */
  readonly reads: PerTick<Promise<string | undefined>>
  readonly versionReads: PerTick<Promise<string | undefined>>
  /** By stored key, the write of a loaded value that is in progress. */
  readonly fills: Map<string, Promise<unknown>>
  /** Stored keys whose entry, of an ended generation, was given an end in the last minute (`fade`). */
  readonly faded: Recent<true>
  /** Stored keys whose load failed less than its `backoff` ago. */
  readonly failures: Recent<true>
  readonly flights: Flights
  /** Number of replies of the store. */
  answerCount: number
  /** The event `no-lifetime` was emitted. */
  hasWarned: boolean
  /** The event `short-ttl` was emitted. */
  hasWarnedOfUnit: boolean
}

/** A cache as one request sees it, through one namespace. Every function of a cache works on a view. */
export interface View {
  /** What all views of a cache share. */
  readonly core: Core
  readonly namespace: string
  /** The options that the request adds to each call. */
  readonly request: ViewOptions
  /** The stored keys of the namespace. `key` throws `INVALID_KEY`. */
  readonly space: NamespaceKeys
  /** Converts a caller's key to its key in the near tier. */
  readonly nearKey: (key: string) => string
  readonly emit: Emit
  /**
   * The fresh value in the near tier, if it may be returned at once. Undefined: there is none, the cache has no near tier or
   * refreshes ahead of time by default, or the request has a signal or a deadline to check.
   */
  readonly peekNear: (key: string) => unknown
  /** The settings of a load without options; made when first needed. */
  defaultSettings?: LoadSettings
}

/** One call on one key. Only a load has `settings`. */
export interface Call<S extends LoadSettings | undefined = LoadSettings | undefined> {
  readonly view: View
  readonly key: string
  readonly storedKey: string
  readonly limit: Limit
  readonly settings: S
}

/** One call of `getOrSet`. */
export interface LoadCall extends Call<LoadSettings> {
  readonly loader: Loader<unknown>
  readonly onDecided?: JoinRequest['onDecided']
}

/** What decides whether a caller may share a running load. */
export interface JoinRequest {
  readonly view: View
  readonly storedKey: string
  /** Number of loaders started when the caller arrived. Without a lease, it may share only loads that start later. */
  readonly startsAtArrival: number
  /** The caller's own reading; undefined: the store did not reply. */
  readonly reading?: Reading | undefined
  /** The versions that the running load had already captured when that read was sent. */
  readonly knownVersions?: CapturedVersions | undefined
  /** No caller waits for the result. */
  readonly background?: boolean | undefined
  /** The load continues when every caller has left. */
  readonly finish?: boolean | undefined
  /** Called when it is known whether this load runs its loader now (`false`) or waits for another's (`true`). */
  readonly onDecided?: ((waits: boolean) => void) | undefined
}

/** The request for one load. It does not change while the load runs. */
export interface LoadRequest extends JoinRequest {
  readonly settings: LoadSettings
  /** The caller's key. */
  readonly key: string
  readonly loader: Loader<unknown>
  /** The call's tags, and those that an earlier loader named. Their versions are captured before the loader runs. */
  readonly tags: readonly string[]
  readonly hardMs: number
  /** The id of an entry that counts as absent. */
  readonly deadId?: string | undefined
  /** Loads even if there is a fresh value. */
  readonly early?: boolean
}

/** How loads get the right to run: `leases` of `load/lease.ts`, or `noLeases`. */
export interface Lease {
  /** True: the store refuses the value of a load that has lost its lease. False: only this process keeps it from being stored. */
  readonly guardsFills: boolean
  /** Undefined once the lease is held, or when there is none to hold: the store is down, or the load runs beside another. */
  acquire(flight: Flight): Promise<ReadAgain | undefined>
  /** Renews a lease that is shorter than its load may run, until the returned function is called. */
  renew(flight: Flight): () => void
  /** Releases the lease with this token; `''`: there is none. If that fails, it is retried a few times in the background. */
  release(request: LoadRequest, token: string, ending?: Ending): Promise<void>
}

/** The lease of a load, with the copy and the versions that it was taken with. */
export interface HeldLease {
  /** `''`: the load holds no lease. */
  token: string
  /** The id of the copy that the lease was taken on; `''`: there was none. */
  copyId: string
  /** The versions that were captured with it. */
  versions: CapturedVersions | undefined
  /** The load that ran before this one. Kept only until the lease is settled: that load may still hold it. */
  predecessor: Flight | undefined
  /** Another process holds the lease, and this load no longer waits for it. This load stores nothing. */
  isBeside: boolean
}

/** The callers of a load. */
export interface Callers {
  count: number
  /** One of them asked that the load continue when all have left. */
  finish: boolean | undefined
  /** The load continues without callers: something keeps it alive, and its value will be stored. */
  isKept: boolean | undefined
}

/** One run of a loader, or the wait for the run of another process. `load/flight.ts` describes its states. */
export interface Flight {
  readonly request: LoadRequest
  readonly lease: HeldLease
  readonly callers: Callers
  readonly stop: AbortController
  /** `core.answerCount` when the load began. */
  readonly answerCount: number
  /** The near tier's ticket from before the load began. */
  readonly ticket: number | undefined
  /** Undefined: the loader returned undefined. */
  result: Promise<Coded | ReadAgain | undefined>
  state: 'asking' | 'loading' | 'over'
  /** Set when its loader starts: the number of that start. */
  startNumber: number
  /** Epoch ms after which the load counts as dead: its request may have ended without reporting it. */
  aliveUntilMs: number
  /** Only its present callers get its value, such as after a write or delete of its key. The value is not stored. */
  isDetached: boolean
  /** Why its value is not stored: the code of an error, or `''` if that is no error. Undefined: it is stored. */
  dropCode: ErrorCode | '' | undefined
  /** A write that no lease guards (plain format), in progress. */
  fill?: Promise<unknown>
  /** Stops the renewal of its lease, and keeps its other timer from keeping the process alive. */
  quietTimers?: () => void
  /** A second load, shared by those callers of this one whose deadline has passed (`onDeadline: 'load'`). */
  pastDeadline?: Flight
}

/** The running loads of a cache and its views. */
export interface Flights {
  /** The load that a key's callers may join. */
  readonly byKey: Map<string, Flight>
  /** Every load that is not over, detached ones too. */
  readonly running: Set<Flight>
  /** By key, the load that callers past their own deadline share. */
  readonly pastDeadline: Map<string, Flight>
  /** Number of loaders started so far. */
  starts: number
  /** Calls of `getOrSet` under way. */
  readonly calls: Set<Promise<unknown>>
  /** Timers of callers' own deadlines, which keep no process alive once the cache is closed. */
  readonly timers: QuietTimers
}
