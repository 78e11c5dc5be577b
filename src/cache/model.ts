/**
 * What a cache is made of, as data: no code. A `Core` is shared by all views of a cache, a `View` is one namespace seen by
 * one request, a `Call` is one call on its way down, and a `Flight` is one load that callers share.
 *
 * One way down: face → `read.ts` → `judge.ts` → `open.ts`, else `load/flight.ts` → `load/lease.ts` → `load/run-loader.ts` →
 * `load/fill.ts`. Each takes these, and hands nothing of a view down as a closure.
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
  /** Of the caller, where the event is about one. */
  key?: string,
) => void

/** How entries are stored. What is optional is there where a value is stored as it is, with no header beside it. */
export interface Format {
  /** Which options it takes, by `options.ts`: 2 has namespaces, tags, grace and codecs; 1 has none of them. */
  readonly level: 1 | 2
  /** Checks the name of a cache's namespace. Throws for a store that cannot keep this format. */
  namespace(name: string): string
  atomic(store: Store): AtomicStore
  storedKey(namespace: string, key: string): string
  /** Undefined for an unknown form. */
  parse(text: string): Entry | undefined
  /** The form of values where a cache names no codec; undefined: that of its face. */
  readonly values?: ValueForm
  /** The atomic steps (`steps/entry.ts`), by effect. */
  readonly steps: Steps
  /** Those that run every verb; undefined: `verbScripts`, which a cache of few verbs does not carry. */
  readonly verbs?: Steps | undefined
  readonly leases: Lease
  /** Stores what a load has returned. */
  fill(flight: Flight, run: LoaderRun & { readonly coded: Coded }): Promise<void>
  /** What a step must know of a value, where nothing has to be read for it. */
  readonly known?: Known
  /** What each write is stamped with, where that is not the versions of the moment. */
  readonly stamp?: Stamp
  /** Reads a value with which no version is to be compared. `queued`: as in `ReadRequest`. */
  read?(view: View, storedKey: string, queued: boolean): Promise<Reading>
  /** Writes in place of the step of an entry; undefined: this verb has a step. */
  write?(core: Core, key: string, write: EntryWrite, call: StoreCall): Promise<Reply> | undefined
  /** Asks the store for the lifetime that is left: the text of a value does not say it. */
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
  /** Of the lease that `fill` needs. */
  readonly token?: string
  /** The id of the entry that counts as absent, or is written over. */
  readonly deadId?: string
  readonly id?: string
  /** Of `add`, which not all steps have. */
  readonly steps?: Steps | undefined
}

/** What a cache and its views share. */
export interface Core {
  readonly store: AtomicStore
  readonly format: Format
  readonly values: ValueForm
  /** As `values.marks`. */
  readonly marks: string
  readonly tags: TagsPart
  readonly near: NearPart
  readonly longKeys: CacheOptions['longKeys']
  /** The cache's own; others are views of it. `''` in the plain format. */
  readonly namespace: string
  readonly storeTimeoutMs: number
  readonly hardTimeoutMs: number
  /** The lifetime where a call names none, as it was given. */
  readonly ttl: CacheOptions['ttl']
  /** 0: no end. */
  readonly ttlMs: number
  readonly graceMs: number
  readonly onEvent: CacheOptions['onEvent']
  readonly eventKeys: CacheOptions['eventKeys']
  /** What a load does where its call does not say. */
  readonly loadDefaults: LoadDefaults
  readonly breaker: StoreBreaker
  readonly lastResort: LastResort
  readonly background: Background
  readonly versions: VersionMemory
  /** By which freshness under grace is judged. */
  readonly clock: StoreClock
  readonly stats: { -readonly [K in keyof CacheStats]: CacheStats[K] }
  /** Calls on one stored key that take more than one command, one at a time. */
  readonly queue: KeyQueue
  /** Texts and versions that are being read: calls of one tick share one read. */
  readonly reads: PerTick<Promise<string | undefined>>
  readonly versionReads: PerTick<Promise<string | undefined>>
  /** By stored key, the value of a load that is being written. */
  readonly fills: Map<string, Promise<unknown>>
  /** Entries of an ended generation that were given an end lately. */
  readonly faded: Recent<true>
  /** Keys whose load failed lately, by `backoff`. */
  readonly failures: Recent<true>
  readonly flights: Flights
  /** How often the store has answered. */
  answerCount: number
  /** It was reported that entries have no lifetime. */
  hasWarned: boolean
  /** It was reported that a lifetime is a number below a second. */
  hasWarnedOfUnit: boolean
}

/** A cache seen through one namespace and by one request: what every function of a cache works over. */
export interface View {
  /** What all views of a cache share. */
  readonly core: Core
  readonly namespace: string
  /** What the request adds to each call. */
  readonly request: ViewOptions
  /** The stored keys of the namespace. `key` throws `INVALID_KEY`. */
  readonly space: NamespaceKeys
  /** From a caller's key to the near tier's. */
  readonly nearKey: (key: string) => string
  readonly emit: Emit
  /**
   * The fresh value that the near tier holds and that may be returned at once. Undefined: none, or the view has no tier, a
   * limit of the request to check, or a refresh ahead of time.
   */
  readonly peekNear: (key: string) => unknown
  /** The settings of a load without options, once one was asked for. */
  defaultSettings?: LoadSettings
}

/** One call on one key, on its way down. `settings`: of a load. */
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
  /** Number of loaders started when the caller came. Without a lease, it may share only loads that start after it arrived. */
  readonly startsAtArrival: number
  /** What the caller's own read has shown; undefined: the store did not answer. */
  readonly reading?: Reading | undefined
  /** The versions that the running load was known to have captured before that read was sent. */
  readonly knownVersions?: CapturedVersions | undefined
  /** No caller waits for the result. */
  readonly background?: boolean | undefined
  /** The load goes on when every caller has left. */
  readonly finish?: boolean | undefined
  /** Called when it is known whether this load runs its loader now (`false`) or waits for another's (`true`). */
  readonly onDecided?: ((waits: boolean) => void) | undefined
}

/** One load, as it was asked for. Nothing of it changes while the load runs. */
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
  /** Loads although there is a fresh value. */
  readonly early?: boolean
}

/** How loads get the right to run: `leases` of `load/lease.ts`, or `noLeases`. */
export interface Lease {
  /** The store refuses the value of a load that has lost its lease. Where it does not, this process sees to it alone. */
  readonly guardsFills: boolean
  /** Undefined once the lease is held, or when there is none to hold: the store is down, or the load runs beside another. */
  acquire(flight: Flight): Promise<ReadAgain | undefined>
  /** Keeps a lease that is shorter than its load may run, until the returned function is called. */
  renew(flight: Flight): () => void
  /** Gives a lease back; `''`: there is none. When the store is down it tries some more times, for which nobody waits. */
  release(request: LoadRequest, token: string, ending?: Ending): Promise<void>
}

/** The lease of a load, and what it was taken on. */
export interface HeldLease {
  /** `''`: the load holds no lease. */
  token: string
  /** The id of the copy that the lease was taken on; `''`: there was none. */
  copyId: string
  /** The versions that were captured with it. */
  versions: CapturedVersions | undefined
  /** The load that ran before this one. Kept only until the lease is settled: that load may still hold it. */
  predecessor: Flight | undefined
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

/** One run of a loader, or the wait for the run of another process. `load/flight.ts` describes its states. */
export interface Flight {
  readonly request: LoadRequest
  readonly lease: HeldLease
  readonly callers: Callers
  readonly stop: AbortController
  /** `core.answerCount` when the load began. */
  readonly answerCount: number
  /** Of the near tier, from before the load began. */
  readonly ticket: number | undefined
  /** Undefined: the loader returned undefined. */
  result: Promise<Coded | ReadAgain | undefined>
  state: 'asking' | 'loading' | 'over'
  /** Set when its loader starts: the number of that start. */
  startNumber: number
  /** Epoch ms after which the load counts as dead: its request may have ended without a word. */
  aliveUntilMs: number
  /** Its key was written or deleted: its value is for its own callers only. */
  isDetached: boolean
  /** Its value is not stored, by this error; `''`: by a caller's wish; undefined: it is stored. */
  dropCode: ErrorCode | '' | undefined
  /** A write that no lease guards (plain format), in progress. */
  fill?: Promise<unknown>
  /** Stops the renewal of its lease, and lets its other timer keep no process alive. */
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
  /** By key, what callers past their own deadline share. */
  readonly pastDeadline: Map<string, Flight>
  /** Number of loaders started so far. */
  starts: number
  /** Calls of `getOrSet` under way. */
  readonly calls: Set<Promise<unknown>>
  /** Of callers' own deadlines, which keep no process alive once the cache is closed. */
  readonly timers: QuietTimers
}
