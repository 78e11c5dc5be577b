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
  /**
   * Whether reads of one tick may be answered at different instants: one may then show what was written after another of
   * them. A store over commands says so by itself where keys have nodes of their own. Omitted: they are answered together.
   */
  readonly readsApart?: boolean
}

/** Something a store noticed that no caller's promise can say. Carries no value and no full key. */
export interface StoreEvent {
  /** `no-scripts`: the server refuses scripts, or runs several at once on a key: operations run under WATCH from now on. */
  readonly type: 'foreign-type' | 'late-reply' | 'resend' | 'feed-gap' | 'feed-refused' | 'no-scripts'
  readonly command: string
}

/**
 * A key-value store with lifetimes. Calls made in one run of microtasks act in call order and may travel together.
 *
 * Every method rejects with a `HitherError`: `INVALID_KEY`, `INVALID_VALUE`, `VALUE_TOO_LARGE` or `BATCH_TOO_LARGE`
 * before any I/O; `TIMEOUT` or `STORE_UNAVAILABLE` without an answer (`maybeExecuted` says whether a write may have
 * run); `CLOSED` after `close()`. An aborted call rejects with the signal's own reason.
 */
export interface Store {
  readonly name: string
  readonly traits: StoreTraits
  /** Resolves to `undefined` when the key is absent, past its lifetime, or holds something other than a string. */
  get(key: string, call?: Call): Promise<string | undefined>
  /** In the order of `keys`, duplicates included; one round trip where the backend can. At most 10,000 keys. */
  getMany(keys: readonly string[], call?: Call): Promise<(string | undefined)[]>
  /**
   * Replaces value and lifetime. `ttlMs`: whole milliseconds from now, at least 1; omitted means until deleted.
   * Rejects a value with a lone surrogate (`INVALID_VALUE`). Never sent twice.
   */
  set(key: string, value: string, ttlMs?: number, call?: Call): Promise<void>
  /** Resolves to how many of `keys` existed, each counted once. At most 10,000 keys. */
  delete(keys: readonly string[], call?: Call): Promise<number>
  /** Asks the server what only the server knows: reachable, authorised, able to run operations. Rejects otherwise. */
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
  /** Names what answers for a key where parts fail apart, such as the node of a Cluster. Omitted: there is one. */
  part?(key: string): string
  /** The raw way to the server, for tools and adapters that speak commands. */
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

/** What the type of a store says that cannot subscribe, such as `memcachedStore`: a channel over it does not compile. */
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
   * `args`. Resolves to the raw reply. Rejects `STORE_REJECTED` for an error reply, with its first word; a lost reply is
   * asked for again only where `effect` allows it.
   */
  command(keys: readonly string[], args: Command['args'], effect: Effect, call?: Call): Promise<Wire>
}
