import { setTimer } from '../runtime/clock.ts'
import { type Client, type Engine, LATER, type Queued, type Wait } from './contracts.ts'
import type { Database } from './database.ts'
import { rerun } from './dispatch.ts'
import { NULL_ARRAY, type Reply } from './reply.ts'
import { SortedSet } from './sorted-set.ts'
import { Stream } from './stream.ts'
import { List, type Value } from './values.ts'

const kindOf = (value: Value | undefined): string =>
  value instanceof List ? 'list' : value instanceof SortedSet ? 'zset' : value instanceof Stream ? 'stream' : ''

/**
 * Clients that wait for keys, in the order in which they came. `add` begins a wait; a timeout, CLIENT UNBLOCK, a disconnect or
 * a reply ends it. A change only notes the key. `serve`, after the outermost command, runs the waiting commands again.
 */
export class Waiters {
  readonly #engine: Engine
  readonly #byKey: Map<string, Set<Client>> = new Map()
  /** Keys that have changed since waiting clients were last served. */
  #ready: Map<string, { readonly db: Database; readonly key: string }> = new Map()
  #serving = false
  count = 0

  constructor(engine: Engine) {
    this.#engine = engine
  }

  add(client: Client, { keys, kind, timeoutMs, untilGone = false }: Wait): void {
    const { command, args } = this.#engine.current as Queued
    const cancelTimer = timeoutMs > 0 ? setTimer(() => this.#timeOut(client), timeoutMs) : () => {}
    client.waiting = { args, command, keys: [...new Set(keys)], kind, untilGone, cancelTimer }
    for (const key of client.waiting.keys) {
      const id = `${client.db.index}:${key}`
      const all = this.#byKey.get(id) ?? new Set()
      all.add(client)
      this.#byKey.set(id, all)
    }
    this.count++
  }

  /** Ends a client's wait, and removes all traces of it. Returns whether the client was waiting. */
  leave(client: Client): boolean {
    const { waiting } = client
    if (!waiting) return false
    waiting.cancelTimer()
    for (const key of waiting.keys) {
      const id = `${client.db.index}:${key}`
      const all = this.#byKey.get(id)
      all?.delete(client)
      if (all?.size === 0) this.#byKey.delete(id)
    }
    client.waiting = undefined
    this.count--
    return true
  }
  #timeOut(client: Client): void {
    if (this.leave(client)) client.deliver(NULL_ARRAY)
  }
  /** CLIENT UNBLOCK: ends the wait as a timeout does, or with an error. */
  unblock(client: Client, error: Reply | undefined): boolean {
    if (!this.leave(client)) return false
    client.deliver(error ?? NULL_ARRAY)
    return true
  }

  changed(db: Database, key: string): void {
    if (this.count === 0) return
    const id = `${db.index}:${key}`
    if (this.#byKey.has(id)) this.#ready.set(id, { db, key })
  }
  cleared(db: Database): void {
    if (this.count === 0) return
    for (const id of this.#byKey.keys()) {
      const at = id.indexOf(':')
      if (id.slice(0, at) === `${db.index}`) this.#ready.set(id, { db, key: id.slice(at + 1) })
    }
  }

  /**
   * Runs the commands again that wait for changed keys, in the order of the waits, until nothing changes any more. Then sends all
   * changes to clients that track by prefixes.
   */
  serve(): void {
    if (this.#serving) return
    if (this.#ready.size > 0) this.#serveReady()
    this.#engine.tracking.flush()
  }
  #serveReady(): void {
    this.#serving = true
    try {
      while (this.#ready.size > 0) {
        const ready = this.#ready
        this.#ready = new Map()
        for (const [id, { db, key }] of ready) {
          for (const client of [...(this.#byKey.get(id) ?? [])]) this.#retry(client, db, key)
        }
      }
    } finally {
      this.#serving = false
    }
  }
  #retry(client: Client, db: Database, key: string): void {
    const { waiting } = client
    if (!waiting) return
    const kind = kindOf(db.entries.get(key))
    if (kind !== waiting.kind && !waiting.untilGone) return
    const outcome = rerun(this.#engine, client, waiting.command, waiting.args)
    if (outcome === LATER) return
    this.leave(client)
    client.deliver(outcome)
  }
}
