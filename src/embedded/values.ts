import { IndexedMap } from './indexed-map.ts'
import type { SortedSet } from './sorted-set.ts'
import type { Stream } from './stream.ts'

/** About how many bytes a name and a value take besides their own. */
const ENTRY_BYTES = 64

export class Hash extends IndexedMap<string> {
  /** Ends of fields, in epoch milliseconds. */
  ends: Map<string, number> | undefined
  /** No field ends before this time. */
  nextEndMs: number = Number.POSITIVE_INFINITY
}

export class MemberSet extends IndexedMap<true> {
  readonly kind = 'set'
}

/** A double-ended queue. Both ends, and any item by its index, are reached in O(1). */
export class List {
  #ring: (string | undefined)[] = new Array(8)
  #first = 0
  size = 0
  bytes = 0
  #at(index: number): number {
    return (this.#first + index) & (this.#ring.length - 1)
  }
  #grow(): void {
    if (this.size < this.#ring.length) return
    const ring = this.toArray() as (string | undefined)[]
    ring.length = this.#ring.length * 2
    this.#ring = ring
    this.#first = 0
  }
  /** Undefined beyond either end. A negative index counts from the last item. */
  get(index: number): string | undefined {
    const at = index < 0 ? this.size + index : index
    return at < 0 || at >= this.size ? undefined : this.#ring[this.#at(at)]
  }
  set(index: number, value: string): void {
    const at = this.#at(index)
    this.bytes += value.length - (this.#ring[at] as string).length
    this.#ring[at] = value
  }
  push(value: string): void {
    this.#grow()
    this.#ring[this.#at(this.size++)] = value
    this.bytes += value.length
  }
  unshift(value: string): void {
    this.#grow()
    this.#first = this.#at(-1)
    this.#ring[this.#first] = value
    this.size++
    this.bytes += value.length
  }
  pop(): string | undefined {
    if (this.size === 0) return undefined
    const at = this.#at(--this.size)
    const value = this.#ring[at] as string
    this.#ring[at] = undefined
    this.bytes -= value.length
    return value
  }
  shift(): string | undefined {
    if (this.size === 0) return undefined
    const value = this.#ring[this.#first] as string
    this.#ring[this.#first] = undefined
    this.#first = this.#at(1)
    this.size--
    this.bytes -= value.length
    return value
  }
  slice(from: number, to: number): string[] {
    const items: string[] = []
    for (let i = from; i < to; i++) items.push(this.#ring[this.#at(i)] as string)
    return items
  }
  toArray(): string[] {
    return this.slice(0, this.size)
  }
  /** Replaces all items. */
  replace(items: readonly string[]): void {
    let length = 8
    while (length < items.length) length *= 2
    this.#ring = [...items]
    this.#ring.length = length
    this.#first = 0
    this.size = items.length
    this.bytes = items.reduce((sum, item) => sum + item.length, 0)
  }
}

export type JsonData = null | boolean | number | bigint | string | JsonData[] | Map<string, JsonData>
/** Roughly how many bytes a value of a JSON document takes. */
export function sizeOfJson(data: JsonData): number {
  if (typeof data === 'string') return data.length + 16
  let size = 16
  if (Array.isArray(data)) for (const item of data) size += sizeOfJson(item)
  else if (data instanceof Map) for (const [name, item] of data) size += name.length + 32 + sizeOfJson(item)
  return size
}

/** A JSON document. */
export class Json {
  root: JsonData
  bytes: number
  constructor(root: JsonData) {
    this.root = root
    this.bytes = sizeOfJson(root)
  }
}

export type Value = string | Hash | List | MemberSet | SortedSet | Stream | Json

/** Roughly how many bytes a key and its value take. */
export function sizeOf(key: string, value: Value): number {
  if (typeof value === 'string') return key.length + value.length + ENTRY_BYTES
  const count = value instanceof Json ? 1 : value.size
  return key.length + value.bytes + ENTRY_BYTES * (count + 1)
}
