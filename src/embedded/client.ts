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

/** What one connection is to the engine: its database, protocol, transaction, subscriptions and what it waits for. */
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
  /** The commands of a transaction that is being written. */
  queue: Queued[] | undefined
  /** A command of the transaction was refused: EXEC refuses it whole. */
  aborted = false
  /** A key it watches has changed. */
  dirty = false
  readonly watched: Map<string, { readonly db: Database; readonly key: string; readonly expired: boolean }> = new Map()
  readonly channels: Set<string> = new Set()
  readonly patterns: Set<string> = new Set()
  readonly shardChannels: Set<string> = new Set()
  monitors = false
  tracking: Tracking | undefined
  waiting: Waiting | undefined
  /** What it runs may not wait: a transaction or a script. */
  mayWait = true
  /** Last ids of the streams that XREAD waits for. */
  lastIds: ReadonlyMap<string, string> | undefined
  /** A command that waited is tried again. */
  retrying = false
  /** Of the script that runs as this client: what it may do. */
  readOnly = false
  replies: 'on' | 'off' | 'skip' | 'skip-next' = 'on'
  noTouch = false
  closed = false
  isScript = false
  /** Whose script runs as this client. */
  caller: Client | undefined
  /** Where confirmations of subscriptions go while EXEC puts its replies together. */
  collected: Reply[] | undefined
  lastCommand = 'NULL'
  lastMs = 0
  /** Set while a command of it is under way that is answered later. */
  busy = false
  readonly #pending: (readonly string[])[] = []
  #running = false
  /** Messages that came while this client's command ran: they are sent after its reply. */
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

  /** Runs a command, after those before it. */
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
  /** Answers the command that is under way, and goes on with those behind it. */
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

  /** The value of a key, whatever its type; undefined when there is none. */
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
  /** A read has found nothing: keyspace events of the class `m` say so. */
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

  /** Puts a value in place; the key's end stays. Report it with `changed`. */
  put(key: string, value: Value): void {
    if (this.db.entries.set(key, value)) this.engine.appeared(this.db, key)
  }
  /** As `put`, and the key has no end any more. */
  replace(key: string, value: Value): void {
    this.db.ends.delete(key)
    this.db.fieldEnds.delete(key)
    this.put(key, value)
  }
  /** Whether the key was there. Reports nothing. */
  remove(key: string): boolean {
    if (this.find(key) === undefined) return false
    this.db.delete(key)
    return true
  }
  /** Removes a collection that has nothing in it any more, and reports that. */
  removeIfEmpty(key: string, value: { readonly size: number }): void {
    if (value.size > 0) return
    this.db.delete(key)
    this.changed(key, 'g', 'del')
  }
  /** Reports a change: to who watches, waits, tracks, or hears keyspace events of the class `kind`. */
  changed(key: string, kind: string, event: string): void {
    this.engine.touched(this.db, key, this)
    this.engine.notify(this.db, key, kind, event)
  }
  /** Reports a change of a stream beside its entries: its groups, or its last id. */
  metadataChanged(key: string, event: string): void {
    this.engine.metadataChanged(this.db, key)
    this.engine.notify(this.db, key, 't', event)
  }
  /** Reports an event without a change of its own. */
  notify(key: string, kind: string, event: string): void {
    this.engine.notify(this.db, key, kind, event)
  }

  /** Waits until one of `keys` has a value of `kind`, then the command is run again. */
  wait(wait: Wait): Outcome {
    if (!this.mayWait) return NULL_ARRAY
    if (this.retrying) return LATER
    this.engine.waiters.add(this, wait)
    return LATER
  }

  /** What a client is called where it stands in a list. */
  describe(): string {
    const flags = `${this.monitors ? 'O' : ''}${this.channels.size + this.patterns.size + this.shardChannels.size > 0 ? 'P' : ''}${this.queue ? 'x' : ''}${this.waiting ? 'b' : ''}${this.tracking ? 't' : ''}${this.dirty ? 'd' : ''}`
    const [libName, libVersion] = this.library
    const seconds = (ms: number): number => Math.max(0, Math.floor((this.now - ms) / 1000))
    return `id=${this.id} addr=${this.address} laddr=127.0.0.1:0 fd=${this.id + 7} name=${this.name} age=${seconds(this.sinceMs)} idle=${seconds(this.lastMs)} flags=${flags || 'N'} db=${this.db.index} sub=${this.channels.size} psub=${this.patterns.size} ssub=${this.shardChannels.size} multi=${this.queue ? this.queue.length : -1} watch=${this.watched.size} qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=1024 rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd=${this.lastCommand} user=${this.user?.name ?? 'default'} redir=${this.tracking?.redirect ?? -1} resp=${this.resp} lib-name=${libName} lib-ver=${libVersion} io-thread=0 tot-net-in=0 tot-net-out=0 tot-cmds=0`
  }
}
