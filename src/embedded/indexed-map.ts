/**
 * A map whose entries have indexes, so that a random entry and the next entry of a scan are found in O(1). When an entry is
 * deleted, the last one takes its index. A scan from the last index to the first therefore misses no entry that exists
 * throughout.
 */
export class IndexedMap<V> {
  readonly names: string[] = []
  readonly values: V[] = []
  readonly #places: Map<string, number> = new Map()
  /** Bytes of all names, and of those values that are strings. */
  bytes = 0
  get size(): number {
    return this.names.length
  }
  has(name: string): boolean {
    return this.#places.has(name)
  }
  get(name: string): V | undefined {
    const place = this.#places.get(name)
    return place === undefined ? undefined : this.values[place]
  }
  /** Sets a value. Returns whether the name is new. */
  set(name: string, value: V): boolean {
    const place = this.#places.get(name)
    if (place !== undefined) {
      this.bytes += weigh(value) - weigh(this.values[place])
      this.values[place] = value
      return false
    }
    this.#places.set(name, this.names.length)
    this.names.push(name)
    this.values.push(value)
    this.bytes += name.length + weigh(value)
    return true
  }
  delete(name: string): boolean {
    const place = this.#places.get(name)
    if (place === undefined) return false
    this.#places.delete(name)
    this.bytes -= name.length + weigh(this.values[place])
    const lastName = this.names.pop() as string
    const lastValue = this.values.pop() as V
    if (place < this.names.length) {
      this.names[place] = lastName
      this.values[place] = lastValue
      this.#places.set(lastName, place)
    }
    return true
  }
}

const weigh = (value: unknown): number => (typeof value === 'string' ? value.length : 0)
