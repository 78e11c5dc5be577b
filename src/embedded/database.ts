import { IndexedMap } from './indexed-map.ts'
import type { Value } from './values.ts'
import { Hash } from './values.ts'

/** One of the numbered databases: keys, their values and their ends. It knows no clients and reports nothing. */
export class Database {
  /** Changed by SWAPDB. */
  index: number
  entries: IndexedMap<Value> = new IndexedMap()
  /** Ends of keys, in epoch milliseconds. */
  ends: Map<string, number> = new Map()
  /** Keys of hashes that have a field with an end. */
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
  /** Sets the end of a field; `undefined` removes it. */
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
