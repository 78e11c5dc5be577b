/**
 * A map in the order of its names, which are mostly added at the end and removed at the beginning. A name that is
 * removed elsewhere leaves its place until half of all places are empty.
 */
export class SortedMap<V> {
  readonly #values: Map<string, V> = new Map()
  #order: string[] = []
  #first = 0

  get size(): number {
    return this.#values.size
  }
  get(name: string): V | undefined {
    return this.#values.get(name)
  }
  has(name: string): boolean {
    return this.#values.has(name)
  }
  set(name: string, value: V): void {
    const order = this.#order
    if (!this.#values.has(name)) {
      if (order.length === this.#first || (order.at(-1) as string) < name) order.push(name)
      else {
        const place = this.#place(name)
        if (order[place] !== name) order.splice(place, 0, name)
      }
    }
    this.#values.set(name, value)
  }
  delete(name: string): boolean {
    if (!this.#values.delete(name)) return false
    if (this.#values.size === 0) {
      this.#order = []
      this.#first = 0
    } else if (this.#order[this.#first] === name) {
      this.#first++
      while (!this.#values.has(this.#order[this.#first] as string)) this.#first++
    }
    if (this.#order.length > 2 * this.#values.size + 32) {
      this.#order = this.#order.filter((one, place) => place >= this.#first && this.#values.has(one))
      this.#first = 0
    }
    return true
  }
  /** The place of the first name that is not below `name`. */
  #place(name: string): number {
    let low = this.#first
    let high = this.#order.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#order[middle] as string) < name) low = middle + 1
      else high = middle
    }
    return low
  }
  first(): string | undefined {
    return this.#order[this.#first]
  }
  last(): string | undefined {
    for (let place = this.#order.length - 1; place >= this.#first; place--) {
      const name = this.#order[place] as string
      if (this.#values.has(name)) return name
    }
    return undefined
  }
  /** Names and values from `from` to `to`, both included. */
  *range(from: string, to: string): Generator<readonly [string, V]> {
    for (let place = this.#place(from); place < this.#order.length; place++) {
      const name = this.#order[place] as string
      if (name > to) return
      const value = this.#values.get(name)
      if (value !== undefined) yield [name, value]
    }
  }
  /** As `range`, from the last to the first. */
  *rangeBackwards(from: string, to: string): Generator<readonly [string, V]> {
    for (let place = this.#place(`${to}\0`) - 1; place >= this.#first; place--) {
      const name = this.#order[place] as string
      if (name < from) return
      const value = this.#values.get(name)
      if (value !== undefined) yield [name, value]
    }
  }
}
