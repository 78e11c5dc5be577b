import { setQuietTimer, now as wallClock } from '../runtime/clock.ts'
import { Channels } from './channels.ts'
import { EngineClient } from './client.ts'
import { createConfig } from './config.ts'
import type { Client, Command, EngineConfig, Engine as EngineParts, Outcome, Outlet, User } from './contracts.ts'
import { Database } from './database.ts'
import { execute } from './dispatch.ts'
import { families } from './families/index.ts'
import { MemoryMeter } from './memory-meter.ts'
import { Push } from './reply.ts'
import { type LuaLoader, ScriptHost } from './script-host.ts'
import { createTable } from './table.ts'
import { TrackingTable } from './tracking.ts'
import { createUsers } from './users.ts'
import type { Hash } from './values.ts'
import { Waiters } from './waiters.ts'

export interface EngineOptions {
  /** About how many bytes keys and values may take; 0: without a bound. @default 0 */
  readonly maxBytes?: number
  /** The policy of Redis for a write beyond the bound. @default 'noeviction' */
  readonly evictionPolicy?: string
  /** Epoch milliseconds; for tests. @default the wall clock */
  readonly now?: () => number
  /** Opens the Lua runtime when the first script runs. @default none: scripts are refused */
  readonly lua?: LuaLoader
  /** Password that clients of the server must send first. @default none */
  readonly password?: string
  readonly databases?: number
}

const ESCAPES: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\x07': '\\a', '\b': '\\b' }
const quote = (text: string): string =>
  `"${text
    .replace(/[\\"]/g, '\\$&')
    .replace(/[^\x20-\x7e]/g, (c) => ESCAPES[c] ?? `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)}"`

/** The words of a command without the names and passwords of AUTH and HELLO, which other clients must not see. */
function withoutSecrets(name: string, args: readonly string[]): readonly string[] {
  const from = name === 'auth' ? 1 : name === 'hello' ? args.findIndex((arg) => /^auth$/i.test(arg)) + 1 : 0
  return from === 0 ? args : args.map((arg, i) => (i >= from && i < from + 2 ? '(redacted)' : arg))
}

const SWEEP_MS = 100
const SWEPT = 200

/**
 * A Redis in this process: one thread, no sockets, no files. Commands come in through its clients.
 *
 * A command takes this way: `EngineClient.submit` queues it behind earlier ones; `execute` (dispatch.ts) finds it in the table,
 * checks rights, and runs the function of its family. The function reads and writes `client.db`, and reports each change with
 * `client.changed`. That marks transactions that watch the key as dirty, collects invalidations of tracked keys, weighs the
 * key, marks it ready for waiting clients, and publishes a keyspace event. After the outermost command, `Waiters.serve` runs
 * the commands of waiting clients again. Keys past their end are deleted when a command finds them, and by a sweep every 100 ms
 * while any key or field has an end.
 */
export class Engine implements EngineParts {
  readonly databases: Database[] = []
  readonly table: Map<string, Command> = createTable(families)
  readonly byName: ReadonlyMap<string, Command> = new Map(
    [...this.table].flatMap(([name, command]) => [
      [name, command],
      [name.toUpperCase(), command],
    ]),
  )
  readonly clients: Map<number, Client> = new Map()
  readonly channels: Channels = new Channels()
  readonly tracking: TrackingTable
  readonly waiters: Waiters
  readonly users: Map<string, User>
  readonly config: EngineConfig
  readonly scripts: ScriptHost
  readonly startedMs: number
  readonly clock: () => number
  readonly monitors: Set<Client> = new Set()
  /** Called by SHUTDOWN; undefined where there is no server to end. */
  onShutdown: (() => void) | undefined
  /** Counts bytes; undefined without a bound. */
  meter: MemoryMeter | undefined
  /** Time at which the current command began, in epoch milliseconds. */
  nowMs: number
  lastClientId = 0
  commandsRun = 0
  connections = 0
  expired = 0
  evicted = 0
  hits = 0
  misses = 0
  /** Number of changes since the start, by which a snapshot knows that it is out of date. */
  changes = 0
  /** The command that is running. */
  current: { readonly command: Command; readonly args: readonly string[] } | undefined
  /** Nesting of transactions and scripts. Waiting clients are served when it is 0 again. */
  depth = 0
  readonly #watchers: Map<string, Set<Client>> = new Map()
  #cancelSweep: (() => void) | undefined
  #closed = false

  constructor(options: EngineOptions = {}) {
    this.clock = options.now ?? wallClock
    this.nowMs = this.clock()
    this.startedMs = this.nowMs
    for (let i = 0; i < (options.databases ?? 16); i++) this.databases.push(new Database(i))
    this.tracking = new TrackingTable(this)
    this.waiters = new Waiters(this)
    this.users = createUsers(options.password)
    this.scripts = new ScriptHost(this, options.lua)
    this.config = createConfig(this, options)
  }

  connect(outlet: Outlet): Client {
    this.nowMs = this.clock()
    const client = new EngineClient(this, outlet)
    client.user = this.users.get('default')
    if (client.user && !client.user.nopass) client.user = undefined
    this.clients.set(client.id, client)
    this.connections++
    return client
  }
  disconnect(client: Client): void {
    if (client.closed) return
    client.closed = true
    this.clients.delete(client.id)
    this.monitors.delete(client)
    this.waiters.leave(client)
    this.unwatch(client)
    this.channels.leave(client)
    this.tracking.leave(client)
  }

  execute(client: Client, args: readonly string[]): Outcome {
    return execute(this, client, args)
  }

  watch(client: Client, key: string): void {
    const id = `${client.db.index}:${key}`
    if (client.watched.has(id)) return
    const endMs = client.db.ends.get(key)
    client.watched.set(id, { db: client.db, key, expired: endMs !== undefined && endMs <= this.nowMs })
    const all = this.#watchers.get(id) ?? new Set()
    all.add(client)
    this.#watchers.set(id, all)
  }
  unwatch(client: Client): void {
    for (const id of client.watched.keys()) {
      const all = this.#watchers.get(id)
      all?.delete(client)
      if (all?.size === 0) this.#watchers.delete(id)
    }
    client.watched.clear()
    client.dirty = false
  }

  /** Reports a change that no client made. */
  changed(db: Database, key: string, kind: string, event: string): void {
    this.touched(db, key)
    this.notify(db, key, kind, event)
  }
  /** Every change of a key calls this. `by` is the client that made it. */
  touched(db: Database, key: string, by?: Client): void {
    if (this.#watchers.size > 0) {
      const all = this.#watchers.get(`${db.index}:${key}`)
      if (all) for (const client of all) client.dirty = true
    }
    this.tracking.changed(key, by)
    this.metadataChanged(db, key)
  }
  /**
   * Reports a change that leaves the value as it is, such as one of a stream's groups. Clients that watch or track the key are
   * not notified.
   */
  metadataChanged(db: Database, key: string): void {
    this.changes++
    this.meter?.weigh(db, key)
    this.waiters.changed(db, key)
    if (db.ends.size > 0 || db.fieldEnds.size > 0) this.#plan()
  }
  /** Reports that a key exists that did not exist before. */
  appeared(db: Database, key: string): void {
    if (this.config.events.has('n')) this.notify(db, key, 'n', 'new')
  }
  /**
   * Deletes all keys of a database at once. The command itself notifies the clients that track keys, once for all databases.
   */
  cleared(db: Database): void {
    this.changes++
    for (const [id, all] of this.#watchers) {
      if (!id.startsWith(`${db.index}:`)) continue
      const key = id.slice(id.indexOf(':') + 1)
      if (db.entries.has(key)) for (const client of all) client.dirty = true
    }
    this.waiters.cleared(db)
    db.clear()
    this.meter?.cleared(db)
  }
  notify(db: Database, key: string, kind: string, event: string): void {
    const { events } = this.config
    if (events.size === 0 || !events.has(kind)) return
    if (events.has('K')) this.channels.publish(`__keyspace@${db.index}__:${key}`, event)
    if (events.has('E')) this.channels.publish(`__keyevent@${db.index}__:${event}`, key)
  }

  /** Whether a key's end has passed. If so, the key is deleted. */
  hasEnded(db: Database, key: string): boolean {
    const endMs = db.ends.get(key)
    if (endMs === undefined || endMs > this.nowMs) return false
    db.delete(key)
    this.expired++
    this.changed(db, key, 'x', 'expired')
    return true
  }
  /** Deletes the fields whose end has passed. Returns whether the hash is deleted with them. */
  endFields(db: Database, key: string, hash: Hash): boolean {
    let next = Number.POSITIVE_INFINITY
    let ended = 0
    for (const [field, endMs] of hash.ends ?? []) {
      if (endMs > this.nowMs) next = Math.min(next, endMs)
      else {
        hash.ends?.delete(field)
        hash.delete(field)
        ended++
      }
    }
    hash.nextEndMs = next
    if (hash.ends?.size === 0) db.forgetFieldEnds(key, hash)
    if (ended > 0) this.changed(db, key, 'h', 'hexpired')
    if (hash.size > 0) return false
    db.delete(key)
    this.changed(db, key, 'g', 'del')
    return true
  }

  /**
   * Deletes keys and fields whose end has passed. In each database it looks at up to `most` keys, from where the last sweep
   * stopped, and at up to `most` hashes likewise. Returns how many keys and hashes had ended.
   */
  sweep(most: number = Number.POSITIVE_INFINITY): number {
    this.nowMs = this.clock()
    let ended = 0
    for (const db of this.databases) {
      let looked = 0
      for (const [key, endMs] of db.ends) {
        if (looked++ >= most) break
        if (endMs <= this.nowMs) {
          if (this.hasEnded(db, key)) ended++
        } else if (most !== Number.POSITIVE_INFINITY) {
          // Moved to the end of the order, so that the next sweep looks at other keys.
          db.ends.delete(key)
          db.ends.set(key, endMs)
        }
      }
      looked = 0
      for (const key of db.fieldEnds) {
        if (looked++ >= most) break
        const hash = db.entries.get(key) as Hash | undefined
        if (!hash?.ends) db.fieldEnds.delete(key)
        else if (hash.nextEndMs <= this.nowMs && this.endFields(db, key, hash)) ended++
        else if (most !== Number.POSITIVE_INFINITY && db.fieldEnds.delete(key)) db.fieldEnds.add(key)
      }
    }
    if (ended > 0) this.waiters.serve()
    return ended
  }
  /** Plans a sweep: one timer for all keys, which runs only while a key has an end. */
  #plan(): void {
    if (this.#cancelSweep || this.#closed) return
    this.#cancelSweep = setQuietTimer(() => {
      this.#cancelSweep = undefined
      // If more than a quarter of a sweep had ended, sweep again at once, up to 20 times.
      for (let round = 0; round < 20 && this.sweep(SWEPT) > SWEPT / 4; round++);
      if (this.databases.some((db) => db.ends.size > 0 || db.fieldEnds.size > 0)) this.#plan()
    }, SWEEP_MS)
  }

  /** Sets the bound in bytes; 0 removes it. */
  bound(maxBytes: number, policy: string): void {
    this.meter = maxBytes > 0 ? new MemoryMeter(this, maxBytes, policy) : undefined
  }

  /** Sends a command that a client runs to all monitors. */
  toMonitors(client: Client, command: Command, args: readonly string[]): void {
    if (command.flags.has('admin')) return
    const quoted = withoutSecrets(command.name, args).map(quote)
    const seconds = (this.nowMs / 1000).toFixed(6)
    const from = client.isScript ? 'lua' : client.address
    for (const monitor of this.monitors) {
      // RESET ends the client's own MONITOR, so that it does not see this command.
      if (monitor === client && command.name === 'reset') continue
      monitor.push(new Push([`${seconds} [${client.db.index} ${from}] ${quoted.join(' ')}`]))
    }
  }

  close(): void {
    this.#closed = true
    this.#cancelSweep?.()
    for (const client of [...this.clients.values()]) {
      client.outlet.close?.()
      this.disconnect(client)
    }
    for (const db of this.databases) db.clear()
    this.scripts.close()
  }
}
