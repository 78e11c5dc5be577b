import type { Client, Engine } from './contracts.ts'
import { Push } from './reply.ts'

/** CLIENT TRACKING: which clients keep which keys, and the invalidations that they receive. */
export class TrackingTable {
  readonly #engine: Engine
  readonly #byKey: Map<string, Set<Client>> = new Map()
  readonly #all: Set<Client> = new Set()
  /** Changed keys for clients that track by prefixes, sent after the command or transaction: one message a prefix. */
  readonly #gathered: Map<Client, Map<string, Set<string>>> = new Map()
  constructor(engine: Engine) {
    this.#engine = engine
  }
  get keys(): number {
    return this.#byKey.size
  }
  get clients(): number {
    return this.#all.size
  }
  enter(client: Client): void {
    this.#all.add(client)
  }
  leave(client: Client): void {
    if (!this.#all.delete(client)) return
    client.tracking = undefined
    this.#gathered.delete(client)
    for (const [key, clients] of this.#byKey) {
      clients.delete(client)
      if (clients.size === 0) this.#byKey.delete(key)
    }
  }
  /** Notes that a client has read these keys and may keep them. */
  remember(client: Client, keys: readonly string[]): void {
    const { tracking } = client
    if (!tracking || tracking.prefixes || (tracking.optIn && tracking.caching !== true)) return
    if (tracking.optOut && tracking.caching === false) return
    for (const key of keys) {
      const all = this.#byKey.get(key)
      if (all) all.add(client)
      else this.#byKey.set(key, new Set([client]))
    }
  }
  changed(key: string, by: Client | undefined): void {
    if (this.#all.size === 0) return
    const readers = this.#byKey.get(key) ?? new Set()
    this.#byKey.delete(key)
    for (const client of this.#all) {
      const { tracking } = client
      if (tracking?.noLoop && client === by) continue
      if (!tracking?.prefixes) {
        if (readers.has(client)) this.#send(client, [key])
        continue
      }
      const prefix = tracking.prefixes.find((one) => key.startsWith(one))
      if (prefix !== undefined) this.#gather(client, prefix, key)
    }
  }
  #gather(client: Client, prefix: string, key: string): void {
    const byPrefix = this.#gathered.get(client) ?? new Map<string, Set<string>>()
    this.#gathered.set(client, byPrefix)
    const keys = byPrefix.get(prefix)
    if (keys) keys.add(key)
    else byPrefix.set(prefix, new Set([key]))
  }
  /** Sends the keys changed since the last call to clients that track by prefixes. */
  flush(): void {
    if (this.#gathered.size === 0) return
    const all = [...this.#gathered]
    this.#gathered.clear()
    for (const [client, byPrefix] of all) {
      for (const prefix of [...byPrefix.keys()].sort()) this.#send(client, [...(byPrefix.get(prefix) ?? [])].sort())
    }
  }
  clearedAll(): void {
    this.#byKey.clear()
    for (const client of this.#all) this.#send(client, null)
  }
  #send(client: Client, keys: readonly string[] | null): void {
    const tracking = client.tracking as NonNullable<Client['tracking']>
    const { redirect } = tracking
    const target = redirect > 0 ? this.#engine.clients.get(redirect) : client
    if (!target) {
      tracking.isBroken = true
      if (client.resp === 3) client.push(new Push(['tracking-redir-broken', redirect]))
      return
    }
    const message =
      target.resp === 3
        ? new Push(['invalidate', keys])
        : redirect > 0 && target.channels.has('__redis__:invalidate')
          ? new Push(['message', '__redis__:invalidate', keys])
          : undefined
    if (message) target.push(message)
  }
}
