import { IndexedMap } from './indexed-map.ts'
import type { Value } from './values.ts'
import { Hash } from './values.ts'

/** One of the numbered databases: keys, their values and when they end. It knows no client and reports nothing. */
export class Database {
  /** Changes by SWAPDB. */
  index: number
  entries: IndexedMap<Value> = new IndexedMap()
  /** When keys end, in epoch milliseconds. */
  ends: Map<string, number> = new Map()
  /** Keys of hashes with a field that ends. */
  readonly fieldEnds: Set<string> = new Set()
  constructor(index: number) {
    this.index = index
  }
  delete(key: string): boolean {
    if (this.ends.size > 0) this.ends.delete(key)
    if (this.fieldEnds.size > 0) this.fieldEnds.delete(key)
    return this.entries.delete(key)
  }
  clear(): void {
    this.entries = new IndexedMap()
    this.ends = new Map()
    this.fieldEnds.clear()
  }
  /** Ends one field, or keeps it; `undefined` takes its end away. */
  setFieldEnd(key: string, hash: Hash, field: string, endMs: number | undefined): void {
    if (endMs === undefined) {
      hash.ends?.delete(field)
      if (hash.ends?.size === 0) this.forgetFieldEnds(key, hash)
      return
    }
    hash.ends ??= new Map()
    hash.ends.set(field, endMs)
    hash.nextEndMs = Math.min(hash.nextEndMs, endMs)
    this.fieldEnds.add(key)
  }
  forgetFieldEnds(key: string, hash: Hash): void {
    hash.ends = undefined
    hash.nextEndMs = Number.POSITIVE_INFINITY
    this.fieldEnds.delete(key)
  }
}

export { Hash }
