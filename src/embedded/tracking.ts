import type { Client, Engine } from './contracts.ts'
import { Push } from './reply.ts'

/** CLIENT TRACKING: which clients keep which keys, and what they have to hear of. */
export class TrackingTable {
  readonly #engine: Engine
  readonly #byKey: Map<string, Set<Client>> = new Map()
  readonly #all: Set<Client> = new Set()
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
    for (const [key, clients] of this.#byKey) {
      clients.delete(client)
      if (clients.size === 0) this.#byKey.delete(key)
    }
  }
  /** A client has read these keys, and may keep them. */
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
    const told = this.#byKey.get(key) ?? new Set()
    this.#byKey.delete(key)
    for (const client of this.#all) {
      const { tracking } = client
      const isTold = tracking?.prefixes ? tracking.prefixes.some((prefix) => key.startsWith(prefix)) : told.has(client)
      if (isTold && !(tracking?.noLoop && client === by)) this.#send(client, [key])
    }
  }
  clearedAll(): void {
    this.#byKey.clear()
    for (const client of this.#all) this.#send(client, null)
  }
  /** After the reply of the command that made the change, when it is the client's own. */
  #send(client: Client, keys: readonly string[] | null): void {
    const { redirect } = client.tracking as NonNullable<Client['tracking']>
    const target = redirect > 0 ? this.#engine.clients.get(redirect) : client
    if (!target) return
    const message =
      target.resp === 3
        ? new Push(['invalidate', keys])
        : redirect > 0 && target.channels.has('__redis__:invalidate')
          ? new Push(['message', '__redis__:invalidate', keys])
          : undefined
    if (message) target.push(message)
  }
}
