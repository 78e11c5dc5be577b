/**
 * A map in the order of its names. Names are mostly added at the end and removed at the beginning. Two arrays hold names and
 * values in order: a name is found by binary search, the first and the last directly. A name that is removed elsewhere leaves
 * its place without a value, until more than about half of all places are empty.
 */
export class SortedMap<V> {
  #names: string[] = []
  #values: (V | undefined)[] = []
  /** Index of the first place with a value. */
  #first = 0
  #size = 0

  get size(): number {
    return this.#size
  }
  get(name: string): V | undefined {
    const place = this.#place(name)
    return this.#names[place] === name ? this.#values[place] : undefined
  }
  has(name: string): boolean {
    return this.get(name) !== undefined
  }
  set(name: string, value: V): void {
    const names = this.#names
    if (names.length === 0 || (names[names.length - 1] as string) < name) {
      names.push(name)
      this.#values.push(value)
      this.#size++
      return
    }
    const place = this.#place(name)
    if (names[place] === name) {
      if (this.#values[place] === undefined) this.#size++
      this.#values[place] = value
    } else if (place > 0 && place === this.#first) {
      // Before all others: uses a place that a removed name has left.
      this.#first--
      names[place - 1] = name
      this.#values[place - 1] = value
      this.#size++
    } else {
      names.splice(place, 0, name)
      this.#values.splice(place, 0, value)
      this.#size++
    }
  }
  delete(name: string): boolean {
    const place = this.#place(name)
    if (this.#names[place] !== name || this.#values[place] === undefined) return false
    this.#values[place] = undefined
    this.#size--
    if (this.#size === 0) {
      this.#names = []
      this.#values = []
      this.#first = 0
    } else if (place === this.#first) {
      while (this.#values[this.#first] === undefined) this.#first++
    }
    if (this.#names.length > 2 * this.#size + 32) this.#pack()
    return true
  }
  /** Removes the empty places. */
  #pack(): void {
    const values = this.#values
    this.#names = this.#names.filter((_, place) => values[place] !== undefined)
    this.#values = values.filter((value) => value !== undefined)
    this.#first = 0
  }
  /** Index of the first name that is not below `name`. */
  #place(name: string): number {
    const names = this.#names
    let low = this.#first
    let high = names.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((names[middle] as string) < name) low = middle + 1
      else high = middle
    }
    return low
  }
  first(): string | undefined {
    return this.#names[this.#first]
  }
  last(): string | undefined {
    for (let place = this.#names.length - 1; place >= this.#first; place--) {
      if (this.#values[place] !== undefined) return this.#names[place]
    }
    return undefined
  }
  /** Names and values from `from` to `to`, both included. */
  *range(from: string, to: string): Generator<readonly [string, V]> {
    for (let place = this.#place(from); place < this.#names.length; place++) {
      const name = this.#names[place] as string
      if (name > to) return
      const value = this.#values[place]
      if (value !== undefined) yield [name, value]
    }
  }
  /** As `range`, from the last to the first. */
  *rangeBackwards(from: string, to: string): Generator<readonly [string, V]> {
    for (let place = this.#place(`${to}\0`) - 1; place >= this.#first; place--) {
      const name = this.#names[place] as string
      if (name < from) return
      const value = this.#values[place]
      if (value !== undefined) yield [name, value]
    }
  }
}
