import type { Arg, Effect, Operation, Reply } from '../protocol/operation.ts'
import type { Call } from './call.ts'
import type { Command, Transport, Wire } from './transport.ts'

export type { Call } from './call.ts'

/** Which writes a read is sure to see: every acknowledged one, this store's own, or none for certain. */
export type Consistency = 'strong' | 'session' | 'eventual'

/** Differences between stores that the presence of a method cannot show. */
export interface StoreTraits {
  /** Whether entries outlive this process or isolate. */
  readonly shared: boolean
  /** Shortest lifetime step honoured, in milliseconds. */
  readonly ttlStepMs: number
  /** Longest key accepted, in bytes of UTF-8. */
  readonly maxKeyBytes: number
  /** Largest value accepted, in bytes of UTF-8. */
  readonly maxValueBytes: number
  /** Whose clock stamps entries and ends lifetimes. */
  readonly clock: 'server' | 'client'
  readonly consistency: Consistency
  /** The clock, in epoch ms, if it was passed in, such as that of a test, which may move as no other does. Omitted: it was not. */
  readonly ownClock?: () => number
  /**
   * Whether the reads of one tick may run at different instants: one read may then show a write that another was too early to
   * see. A store over commands sets this itself if its keys are on different nodes. Omitted: they run together.
   */
  readonly readsApart?: boolean
}

/** Something a store noticed that no caller's promise can report. Carries no value and no full key. */
export interface StoreEvent {
  /** `no-scripts`: the server refuses scripts, or may run several at once on a key. From now on operations run under WATCH. */
  readonly type: 'foreign-type' | 'late-reply' | 'resend' | 'feed-gap' | 'feed-refused' | 'no-scripts'
  readonly command: string
}

/**
 * A key-value store with lifetimes. Calls made in one run of microtasks act in call order and may travel together.
 *
 * Every method rejects with a `HitherError`: `INVALID_KEY`, `INVALID_VALUE`, `VALUE_TOO_LARGE` or `BATCH_TOO_LARGE`
 * before any I/O; `TIMEOUT` or `STORE_UNAVAILABLE` without a reply (`maybeExecuted` says whether a write may have
 * run); `CLOSED` after `close()`. An aborted call rejects with the signal's own reason.
 */
export interface Store {
  readonly name: string
  readonly traits: StoreTraits
  /** Resolves to `undefined` when the key is absent, past its lifetime, or holds something other than a string. */
  get(key: string, call?: Call): Promise<string | undefined>
  /** Resolves to values in the order of `keys`, duplicates included; one round trip if the backend can. At most 10,000 keys. */
  getMany(keys: readonly string[], call?: Call): Promise<(string | undefined)[]>
  /**
   * Replaces value and lifetime. `ttlMs`: whole milliseconds from now, at least 1; omitted means until deleted.
   * Rejects a value with a lone surrogate (`INVALID_VALUE`). Never sent twice.
   */
  set(key: string, value: string, ttlMs?: number, call?: Call): Promise<void>
  /** Resolves to how many of `keys` existed, each counted once. At most 10,000 keys. */
  delete(keys: readonly string[], call?: Call): Promise<number>
  /** Asks the server whether it is reachable, accepts the credentials and can run operations. Rejects otherwise. */
  ready(call?: Call): Promise<void>
  /** Ends what this store opened. Calls under way settle; later ones reject with `CLOSED`. Safe to call twice. */
  close(): Promise<void>
  /** As `get`, without decoding. */
  getBytes?(key: string, call?: Call): Promise<Uint8Array | undefined>
  /** As `set`, for bytes. No operation may touch such a key. */
  setBytes?(key: string, value: Uint8Array, ttlMs?: number, call?: Call): Promise<void>
  /** Keys that match a glob pattern, for tools: unordered, may repeat, sees the whole keyspace. */
  scan?(pattern: string, call?: Call): AsyncIterable<string>
  /** Resolves to the number of receivers the server knows of. */
  publish?(channel: string, message: string, call?: Call): Promise<number>
  /** Resolves once subscribed, to a function that ends the subscription. `onGap` means messages may be missing. */
  subscribe?(channel: string, onMessage: (message: string) => void, onGap?: () => void): Promise<() => Promise<void>>
  /** Names the part that serves a key, if parts can fail one by one, as nodes of a Cluster can. Omitted: there is one part. */
  part?(key: string): string
  /** Sends raw commands to the server, for tools and adapters. */
  readonly transport?: Transport
}

/** A store whose operations are atomic with respect to every other caller of the same backend. */
export interface AtomicStore extends Store {
  /** Runs one operation on one key. Only an operation that is not `once` is ever sent again. */
  run<A extends readonly Arg[], R extends Reply>(
    operation: Operation<A, R>,
    key: string,
    args: A,
    call?: Call,
  ): Promise<R>
}

/** The type of a store that cannot subscribe, such as `memcachedStore`. A channel over such a store does not compile. */
export interface WithoutChannels {
  readonly traits: StoreTraits & { readonly channels?: false }
}

/** A store over a server that speaks Redis commands. */
export interface CommandStore extends AtomicStore {
  readonly transport: Transport
  /** Deadline of a call that names none, in milliseconds. @default 5000 */
  readonly timeoutMs?: number
  /**
   * Sends one command in the queue of this tick, in call order with every other call on its keys. `keys`: the keys in
   * `args`. Resolves to the raw reply. Rejects `STORE_REJECTED` for an error reply, with its first word; `STORE_UNAVAILABLE`
   * if the server says that it loads or that its Cluster is down, `UNAUTHORIZED` if the user lacks a right. After a lost reply
   * the command is sent again only if `effect` allows it.
   */
  command(keys: readonly string[], args: Command['args'], effect: Effect, call?: Call): Promise<Wire>
}
