/**
 * The interfaces between the parts of the engine. Their classes are in client.ts, engine.ts and the files that are named for
 * them. Command families and parts import only this file, so that there is no import cycle.
 */
import type { Database } from './database.ts'
import type { Library } from './function-library.ts'
import type { Push, Reply } from './reply.ts'
import type { SortedSet } from './sorted-set.ts'
import type { Stream } from './stream.ts'
import type { Hash, Json, List, MemberSet, Value } from './values.ts'

/** Returned by a command whose reply comes later, by `client.deliver`. */
export const LATER: { readonly later: true } = { later: true }
/** Returned by a command that has already sent its replies. */
export const SENT: { readonly sent: true } = { sent: true }
export type Outcome = Reply | typeof LATER | typeof SENT

export type Run = (client: Client, args: readonly string[]) => Outcome
export type Family = Readonly<Record<string, Run>>

/** Where a group of keys is among the words of a command. */
export interface KeySpec {
  readonly flags: readonly string[]
  /** Index of the first key; or the keyword before it and the index where the search for it begins; or unknown. */
  readonly begin: number | { readonly keyword: string; readonly from: number } | undefined
  readonly range: { readonly last: number; readonly step: number; readonly limit: number } | undefined
  readonly count: { readonly at: number; readonly first: number; readonly step: number } | undefined
}

export interface Command {
  /** Name in lower case; of a subcommand with its parent: `config|get`. */
  readonly name: string
  /** Number of words, the name included. Negative: at least that many. */
  readonly arity: number
  readonly flags: ReadonlySet<string>
  readonly categories: readonly string[]
  readonly tips: readonly string[]
  readonly keys: readonly KeySpec[]
  readonly group: string
  readonly since: string
  readonly summary: string
  readonly subcommands: Map<string, Command>
  run: Run | undefined
  /** Whether `flags` has `write`. A separate field, as is `denyOom`, because each call checks it. */
  readonly isWrite: boolean
  readonly denyOom: boolean
  calls: number
}

export interface Queued {
  readonly command: Command
  readonly args: readonly string[]
}

/** What a blocking command waits for. */
export interface Wait {
  readonly keys: readonly string[]
  /** The type of value that ends the wait. */
  readonly kind: 'list' | 'zset' | 'stream'
  /** 0 waits without an end. */
  readonly timeoutMs: number
  /** Whether the command is also tried again when its key is deleted. @default false */
  readonly untilGone?: boolean
}

/** The state of a client that waits for keys. */
export interface Waiting {
  readonly args: readonly string[]
  readonly command: Command
  readonly keys: readonly string[]
  readonly kind: string
  /** Whether the command is also tried again when its key is deleted. */
  readonly untilGone: boolean
  cancelTimer: () => void
}

export interface Tracking {
  readonly prefixes: readonly string[] | undefined
  readonly optIn: boolean
  readonly optOut: boolean
  readonly noLoop: boolean
  readonly redirect: number
  /** What CLIENT CACHING has set for the next command. */
  caching: boolean | undefined
  /** Whether the client that receives the messages has disconnected. */
  isBroken: boolean
}

/** Receives a client's replies. */
export interface Outlet {
  reply(reply: Reply): void
  /** Receives messages and invalidations, which come apart from the order of replies. */
  push(message: Push): void
  /** Closes the connection once all bytes have been sent. */
  close?(): void
}

/** A user for AUTH and ACL. */
export interface User {
  readonly name: string
  enabled: boolean
  /** Whether any password is accepted. */
  nopass: boolean
  /** Only stored and returned: the engine checks every payload. */
  sanitizes: boolean
  /** SHA-256 of each password, in hexadecimal digits. */
  readonly passwords: Set<string>
  /** Rules such as `+get` and `-@all`, in the order in which they were set. */
  commands: string[]
  /** Patterns such as `~a*`, `%R~b*` and `%W~c*`. */
  keys: string[]
  channels: string[]
  /** Whether the user may do everything, so that nothing need be checked. */
  isAll: boolean
}

/** The parameters of CONFIG GET and SET. Most are only stored, for clients that ask. */
export interface EngineConfig {
  readonly values: Map<string, string>
  /** Classes of keyspace events that are published; empty: none. */
  events: ReadonlySet<string>
  set(name: string, value: string): void
}

/** The arguments of a call of a script. */
export interface ScriptCall {
  readonly keys: readonly string[]
  readonly args: readonly string[]
  readonly readOnly: boolean
  /** Name of the script in error messages. @default '@user_script' */
  readonly on?: string
}

export interface Script {
  readonly sha: string
  readonly text: string
  readonly flags: ReadonlySet<string> | undefined
}

/** One connection, as the commands see it. The fields are described in client.ts. */
export interface Client {
  readonly engine: Engine
  readonly id: number
  readonly outlet: Outlet
  db: Database
  resp: 2 | 3
  name: string
  address: string
  library: readonly [name: string, version: string]
  readonly sinceMs: number
  user: User | undefined
  queue: Queued[] | undefined
  aborted: boolean
  dirty: boolean
  readonly watched: Map<string, { readonly db: Database; readonly key: string; readonly expired: boolean }>
  readonly channels: Set<string>
  readonly patterns: Set<string>
  readonly shardChannels: Set<string>
  monitors: boolean
  tracking: Tracking | undefined
  waiting: Waiting | undefined
  mayWait: boolean
  lastIds: ReadonlyMap<string, string> | undefined
  retrying: boolean
  readOnly: boolean
  replies: 'on' | 'off' | 'skip' | 'skip-next'
  noTouch: boolean
  closed: boolean
  isScript: boolean
  readonly caller: Client | undefined
  collected: Reply[] | undefined
  lastCommand: string
  lastMs: number
  readonly now: number
  readonly pending: number
  /** Whether a command is under way whose reply comes later. */
  readonly busy: boolean
  submit(args: readonly string[]): void
  deliver(reply: Outcome): void
  answer(outcome: Outcome): void
  push(message: Push): void
  find(key: string): Value | undefined
  string(key: string): string | undefined
  hash(key: string): Hash | undefined
  list(key: string): List | undefined
  set(key: string): MemberSet | undefined
  sorted(key: string): SortedSet | undefined
  stream(key: string): Stream | undefined
  json(key: string): Json | undefined
  put(key: string, value: Value): void
  replace(key: string, value: Value): void
  remove(key: string): boolean
  removeIfEmpty(key: string, value: { readonly size: number }): void
  changed(key: string, kind: string, event: string): void
  metadataChanged(key: string, event: string): void
  notify(key: string, kind: string, event: string): void
  wait(wait: Wait): Outcome
  describe(): string
}

/** The engine, as its parts and the commands see it. */
export interface Engine {
  readonly databases: Database[]
  readonly table: Map<string, Command>
  /** As `table`, with names in lower and in upper case. */
  readonly byName: ReadonlyMap<string, Command>
  readonly clients: Map<number, Client>
  readonly users: Map<string, User>
  readonly config: EngineConfig
  readonly monitors: Set<Client>
  readonly startedMs: number
  readonly clock: () => number
  nowMs: number
  lastClientId: number
  commandsRun: number
  connections: number
  expired: number
  evicted: number
  hits: number
  misses: number
  changes: number
  depth: number
  current: Queued | undefined
  onShutdown: (() => void) | undefined
  readonly channels: {
    readonly byName: Map<string, Set<Client>>
    readonly byPattern: Map<string, Set<Client>>
    readonly byShard: Map<string, Set<Client>>
    leave(client: Client): void
    publish(channel: string, message: string): number
    publishToShard(channel: string, message: string): number
  }
  readonly tracking: {
    readonly keys: number
    readonly clients: number
    enter(client: Client): void
    leave(client: Client): void
    remember(client: Client, keys: readonly string[]): void
    clearedAll(): void
    flush(): void
  }
  readonly waiters: {
    readonly count: number
    add(client: Client, wait: Wait): void
    unblock(client: Client, error: Reply | undefined): boolean
    serve(): void
  }
  readonly meter:
    | { readonly bytes: number; readonly maxBytes: number; used(db: Database, key: string): void; makeRoom(): boolean }
    | undefined
  readonly scripts: {
    readonly isOpen: boolean
    readonly scripts: Map<string, Script>
    needs(queue: readonly Queued[]): boolean
    openThen(client: Client, again: () => Outcome): Outcome
    readonly libraries: Map<string, Library>
    load(text: string): Script
    loadLibrary(code: string): Library
    run(caller: Client, script: Script, call: ScriptCall): Reply
    flush(): void
  }
  connect(outlet: Outlet): Client
  disconnect(client: Client): void
  execute(client: Client, args: readonly string[]): Outcome
  watch(client: Client, key: string): void
  unwatch(client: Client): void
  changed(db: Database, key: string, kind: string, event: string): void
  touched(db: Database, key: string, by?: Client): void
  metadataChanged(db: Database, key: string): void
  appeared(db: Database, key: string): void
  cleared(db: Database): void
  notify(db: Database, key: string, kind: string, event: string): void
  hasEnded(db: Database, key: string): boolean
  endFields(db: Database, key: string, hash: Hash): boolean
  sweep(most?: number): number
  bound(maxBytes: number, policy: string): void
  toMonitors(client: Client, command: Command, args: readonly string[]): void
}
