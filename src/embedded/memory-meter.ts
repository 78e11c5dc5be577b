import { random } from '../runtime/random.ts'
import type { Engine } from './contracts.ts'
import type { Database } from './database.ts'
import { sizeOf } from './values.ts'

const SAMPLES = 10

/** Counts the bytes of keys and values against a bound, and makes room by an eviction policy. */
export class MemoryMeter {
  readonly #engine: Engine
  readonly maxBytes: number
  readonly policy: string
  total = 0
  /** Sizes by database and key. If the policy goes by use, the least recently used key comes first. */
  readonly #sizes: Map<Database, Map<string, number>> = new Map()
  readonly #byUse: boolean
  constructor(engine: Engine, maxBytes: number, policy: string) {
    this.#engine = engine
    this.maxBytes = maxBytes
    this.policy = policy
    this.#byUse = /-l[rf]u$/.test(policy)
    for (const db of engine.databases) {
      this.#sizes.set(db, new Map())
      for (const key of db.entries.names) this.weigh(db, key)
    }
  }
  get bytes(): number {
    return this.total
  }
  used(db: Database, key: string): void {
    if (!this.#byUse) return
    const sizes = this.#sizes.get(db) as Map<string, number>
    const size = sizes.get(key)
    if (size === undefined) return
    sizes.delete(key)
    sizes.set(key, size)
  }
  weigh(db: Database, key: string): void {
    const sizes = this.#sizes.get(db) as Map<string, number>
    const value = db.entries.get(key)
    this.total -= sizes.get(key) ?? 0
    if (this.#byUse || value === undefined) sizes.delete(key)
    if (value === undefined) return
    const size = sizeOf(key, value)
    sizes.set(key, size)
    this.total += size
  }
  cleared(db: Database): void {
    const sizes = this.#sizes.get(db) as Map<string, number>
    for (const size of sizes.values()) this.total -= size
    sizes.clear()
  }
  /** Deletes keys until there is room. Returns false if the policy finds no key to delete. */
  makeRoom(): boolean {
    while (this.total > this.maxBytes) {
      const victim = this.#victim()
      if (!victim) return false
      const [db, key] = victim
      db.delete(key)
      this.#engine.evicted++
      this.#engine.changed(db, key, 'e', 'evicted')
      this.weigh(db, key)
    }
    return true
  }
  #victim(): readonly [Database, string] | undefined {
    if (this.policy === 'noeviction') return undefined
    const onlyEnding = this.policy.startsWith('volatile')
    let best: readonly [Database, string] | undefined
    let bestEndMs = Number.POSITIVE_INFINITY
    for (const db of this.#engine.databases) {
      const { names } = db.entries
      if (this.policy === 'volatile-ttl') {
        let looked = 0
        for (const [key, endMs] of db.ends) {
          if (looked++ > SAMPLES * SAMPLES) break
          if (endMs < bestEndMs) [best, bestEndMs] = [[db, key], endMs]
        }
      } else if (this.policy.endsWith('-random')) {
        const keys = onlyEnding ? [...db.ends.keys()] : names
        if (keys.length > 0) return [db, keys[Math.floor(random() * keys.length)] as string]
      } else {
        for (const key of (this.#sizes.get(db) as Map<string, number>).keys()) {
          if (onlyEnding && !db.ends.has(key)) continue
          return [db, key]
        }
      }
    }
    return best
  }
}
