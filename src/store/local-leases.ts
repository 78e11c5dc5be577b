import type { Arg } from '../protocol/operation.ts'
import type { Store } from './store.ts'

/** A stored text with a lease, which this process alone sees. */
interface Leased {
  readonly text: string
  readonly endMs: number
  /** What the store held beneath it. */
  readonly base: string | undefined
}

/**
 * The leases of a store without operations. They hold within this process alone, so the store is not asked to keep them: it would
 * take a second write for each load, and Workers KV refuses a second write to a key within a second.
 */
export interface LocalLeases {
  /** The text under the key: the store's, or the one with a lease if the store's has not changed since. */
  over(key: string, base: string | undefined): string | undefined
  keep(key: string, leased: Leased, nowMs: number): void
  drop(keys: readonly string[]): void
}

const MAX_LEASES = 10_000
const all = new WeakMap<Store, Map<string, Leased>>()

/** Whether the step of an entry with these arguments changes nothing but its lease. */
export function isLeaseStep(operation: string, [verb]: readonly Arg[]): boolean {
  return operation.startsWith('entry.') && /^(lease|release|fail|gone)$/.test(`${verb}`)
}

/** The leases of all caches over `store`. */
export function localLeases(store: Store): LocalLeases {
  const leases = all.get(store) ?? new Map<string, Leased>()
  all.set(store, leases)
  return {
    over(key, base) {
      const leased = leases.size > 0 ? leases.get(key) : undefined
      if (leased?.base === base && leased) return leased.text
      leases.delete(key)
      return base
    },
    keep(key, leased, nowMs) {
      leases.delete(key)
      leases.set(key, leased)
      // Requests that ended have left leases behind.
      for (const [old, { endMs }] of leases) {
        if (leases.size <= MAX_LEASES && (endMs === 0 || endMs > nowMs)) break
        leases.delete(old)
      }
    },
    drop(keys) {
      if (leases.size > 0) for (const key of keys) leases.delete(key)
    },
  }
}
