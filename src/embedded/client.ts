import {
  type Client,
  type Engine,
  LATER,
  type Outcome,
  type Outlet,
  type Queued,
  type Tracking,
  type User,
  type Wait,
  type Waiting,
} from './contracts.ts'
import type { Database } from './database.ts'
import { fail, NULL_ARRAY, type Push, type Reply } from './reply.ts'
import { SortedSet } from './sorted-set.ts'
import { Stream } from './stream.ts'
import { Hash, Json, List, MemberSet, type Value } from './values.ts'

const WRONG_TYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value'

/**
 * One connection's state in the engine: its database, protocol, transaction, subscriptions, and the command it waits for.
 *
 * `submit` runs a command at once, or queues it while an earlier command is `busy`. A command whose reply comes later returns
 * `LATER`: DEBUG SLEEP, a script while the Lua runtime opens, or a blocking command, for which the client is `waiting` until
 * `Waiters` runs it again.
 * `deliver` then sends the reply, ends `busy`, and runs the queued commands. Messages that arrive while a command runs are
 * held, and sent after its reply.
 */
export class EngineClient implements Client {
  readonly engine: Engine
  readonly id: number
  readonly outlet: Outlet
  db: Database
  resp: 2 | 3 = 2
  name = ''
  address = '127.0.0.1:0'
  library: readonly [name: string, version: string] = ['', '']
  readonly sinceMs: number
  user: User | undefined
  /** The commands queued since MULTI; undefined outside a transaction. */
  queue: Queued[] | undefined
  /** A command of the transaction was refused, so that EXEC refuses the whole transaction. */
  aborted = false
  /** A watched key has changed. */
  dirty = false
  readonly watched: Map<string, { readonly db: Database; readonly key: string; readonly expired: boolean }> = new Map()
  readonly channels: Set<string> = new Set()
  readonly patterns: Set<string> = new Set()
  readonly shardChannels: Set<string> = new Set()
  monitors = false
  tracking: Tracking | undefined
  waiting: Waiting | undefined
  /** False in a transaction or a script, where commands may not wait. */
  mayWait = true
  /** Last ids of the streams that XREAD waits for, taken when the wait began. */
  lastIds: ReadonlyMap<string, string> | undefined
  /** A command that waited is being tried again. */
  retrying = false
  /** Whether the script that runs as this client may not write. */
  readOnly = false
  replies: 'on' | 'off' | 'skip' | 'skip-next' = 'on'
  noTouch = false
  closed = false
  isScript = false
  /** The client whose script runs as this client. */
  caller: Client | undefined
  /** Receives the confirmations of subscriptions while EXEC collects its replies. */
  collected: Reply[] | undefined
  lastCommand = 'NULL'
  lastMs = 0
  /** Whether a command is under way whose reply comes later. */
  busy = false
  readonly #pending: (readonly string[])[] = []
  #running = false
  /** Messages that arrived while a command of this client ran. They are sent after its reply. */
  #held: Push[] = []

  constructor(engine: Engine, outlet: Outlet) {
    this.engine = engine
    this.outlet = outlet
    this.id = ++engine.lastClientId
    this.db = engine.databases[0] as Database
    this.sinceMs = engine.nowMs
    this.lastMs = engine.nowMs
  }

  get now(): number {
    return this.engine.nowMs
  }

  /** Runs a command, after those submitted before it. */
  submit(args: readonly string[]): void {
    if (this.busy) return void this.#pending.push(args)
    this.#run(args)
  }
  get pending(): number {
    return this.#pending.length
  }
  #run(args: readonly string[]): void {
    this.#running = true
    try {
      const outcome = this.engine.execute(this, args)
      if (outcome === LATER) this.busy = true
      else this.answer(outcome)
    } finally {
      this.#running = false
      if (this.#held.length > 0) this.#release()
    }
  }
  #release(): void {
    const held = this.#held
    this.#held = []
    for (const message of held) this.push(message)
  }
  /** Sends the reply of the command under way, and runs those queued behind it. */
  deliver(reply: Outcome): void {
    this.busy = false
    this.answer(reply)
    while (!this.busy && !this.closed) {
      const next = this.#pending.shift()
      if (!next) break
      this.#run(next)
    }
  }
  answer(outcome: Outcome): void {
    if (typeof outcome === 'object' && outcome !== null && ('sent' in outcome || 'later' in outcome)) return
    if (this.collected) return void this.collected.push(outcome as Reply)
    const { replies } = this
    if (replies === 'skip-next') this.replies = 'skip'
    else if (replies === 'skip') this.replies = 'on'
    if (replies === 'on') this.outlet.reply(outcome as Reply)
  }
  push(message: Push): void {
    if (this.#running) this.#held.push(message)
    else if (!this.closed) this.outlet.push(message)
  }

  /** The value of a key, whatever its type; undefined if there is none. */
  find(key: string): Value | undefined {
    const { db } = this
    const value = db.entries.get(key)
    if (value === undefined) return this.#miss(key)
    if (db.ends.size > 0 && this.engine.hasEnded(db, key)) return this.#miss(key)
    if (value instanceof Hash && value.nextEndMs <= this.engine.nowMs) {
      if (this.engine.endFields(db, key, value)) return undefined
    }
    this.engine.meter?.used(db, key)
    return value
  }
  /** Publishes a keyspace event of the class `m`: a read found no key. */
  #miss(key: string): undefined {
    const { config, current } = this.engine
    if (
      config.events.has('m') &&
      current?.command.flags.has('readonly') &&
      !/^(object|memory)\|/.test(current.command.name)
    )
      this.engine.notify(this.db, key, 'm', 'keymiss')
    return undefined
  }
  string(key: string): string | undefined {
    const value = this.find(key)
    return value === undefined || typeof value === 'string' ? value : fail(WRONG_TYPE)
  }
  hash(key: string): Hash | undefined {
    const value = this.find(key)
    return value === undefined || value instanceof Hash ? value : fail(WRONG_TYPE)
  }
  list(key: string): List | undefined {
    const value = this.find(key)
    return value === undefined || value instanceof List ? value : fail(WRONG_TYPE)
  }
  set(key: string): MemberSet | undefined {
    const value = this.find(key)
    return value === undefined || value instanceof MemberSet ? value : fail(WRONG_TYPE)
  }
  sorted(key: string): SortedSet | undefined {
    const value = this.find(key)
    return value === undefined || value instanceof SortedSet ? value : fail(WRONG_TYPE)
  }
  stream(key: string): Stream | undefined {
    const value = this.find(key)
    return value === undefined || value instanceof Stream ? value : fail(WRONG_TYPE)
  }
  json(key: string): Json | undefined {
    const value = this.find(key)
    return value === undefined || value instanceof Json ? value : fail('Existing key has wrong Redis type')
  }

  /** Stores a value, and keeps the key's end. Report the change with `changed`. */
  put(key: string, value: Value): void {
    if (this.db.entries.set(key, value)) this.engine.appeared(this.db, key)
  }
  /** As `put`, and removes the key's end. */
  replace(key: string, value: Value): void {
    this.db.ends.delete(key)
    this.db.fieldEnds.delete(key)
    this.put(key, value)
  }
  /** Removes a key without a report. Returns whether the key existed. */
  remove(key: string): boolean {
    if (this.find(key) === undefined) return false
    this.db.delete(key)
    return true
  }
  /** Removes a collection that has become empty, and reports the removal. */
  removeIfEmpty(key: string, value: { readonly size: number }): void {
    if (value.size > 0) return
    this.db.delete(key)
    this.changed(key, 'g', 'del')
  }
  /** Reports a change to clients that watch, wait for or track the key, and as a keyspace event of the class `kind`. */
  changed(key: string, kind: string, event: string): void {
    this.engine.touched(this.db, key, this)
    this.engine.notify(this.db, key, kind, event)
  }
  /** Reports a change of a stream that is not one of its entries: of its groups, or its last id. */
  metadataChanged(key: string, event: string): void {
    this.engine.metadataChanged(this.db, key)
    this.engine.notify(this.db, key, 't', event)
  }
  /** Publishes a keyspace event without reporting a change. */
  notify(key: string, kind: string, event: string): void {
    this.engine.notify(this.db, key, kind, event)
  }

  /** Waits until one of `keys` has a value of `kind`. The command is then run again. */
  wait(wait: Wait): Outcome {
    if (!this.mayWait) return NULL_ARRAY
    if (this.retrying) return LATER
    this.engine.waiters.add(this, wait)
    return LATER
  }

  /** The client's line in CLIENT LIST. */
  describe(): string {
    const flags = `${this.monitors ? 'O' : ''}${this.channels.size + this.patterns.size + this.shardChannels.size > 0 ? 'P' : ''}${this.queue ? 'x' : ''}${this.waiting ? 'b' : ''}${this.tracking ? 't' : ''}${this.dirty ? 'd' : ''}`
    const [libName, libVersion] = this.library
    const seconds = (ms: number): number => Math.max(0, Math.floor((this.now - ms) / 1000))
    return `id=${this.id} addr=${this.address} laddr=127.0.0.1:0 fd=${this.id + 7} name=${this.name} age=${seconds(this.sinceMs)} idle=${seconds(this.lastMs)} flags=${flags || 'N'} db=${this.db.index} sub=${this.channels.size} psub=${this.patterns.size} ssub=${this.shardChannels.size} multi=${this.queue ? this.queue.length : -1} watch=${this.watched.size} qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=1024 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd=${this.lastCommand} user=${this.user?.name ?? 'default'} redir=${this.tracking?.redirect ?? -1} resp=${this.resp} lib-name=${libName} lib-ver=${libVersion} io-thread=0 tot-net-in=0 tot-net-out=0 tot-cmds=0`
  }
}
