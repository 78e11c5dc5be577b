import { random } from '../runtime/random.ts'
import { IndexedMap } from './indexed-map.ts'

/** A node of the skip list. */
export interface SortedNode {
  readonly member: string
  readonly score: number
  previous: SortedNode | undefined
  /** The next node on each level. */
  readonly next: (SortedNode | undefined)[]
  /** For each level, how many ranks further the next node is. */
  readonly spans: number[]
}

const LEVELS = 32

const node = (member: string, score: number, levels: number): SortedNode => ({
  member,
  score,
  previous: undefined,
  next: new Array<SortedNode | undefined>(levels).fill(undefined),
  spans: new Array<number>(levels).fill(0),
})

/**
 * Members in the order of their scores, then of their bytes. A skip list that counts ranks makes adding, deleting, and finding
 * by rank, score or member O(log n). A map leads from members to scores.
 */
export class SortedSet extends IndexedMap<number> {
  readonly #head: SortedNode = node('', Number.NEGATIVE_INFINITY, LEVELS)
  #levels = 1

  /** Adds or moves a member. Returns whether it is new. */
  put(member: string, score: number): boolean {
    const old = this.get(member)
    if (old === score) return false
    if (old !== undefined) this.#unlink(member, old)
    this.set(member, score)
    this.#link(member, score)
    return old === undefined
  }
  remove(member: string): boolean {
    const score = this.get(member)
    if (score === undefined) return false
    this.#unlink(member, score)
    return this.delete(member)
  }

  #link(member: string, score: number): void {
    const before: SortedNode[] = []
    const places: number[] = []
    let at = this.#head
    let place = 0
    for (let level = this.#levels - 1; level >= 0; level--) {
      for (let next = at.next[level]; next && precedes(next, score, member); next = at.next[level]) {
        place += at.spans[level] as number
        at = next
      }
      before[level] = at
      places[level] = place
    }
    let levels = 1
    while (levels < LEVELS && random() < 0.25) levels++
    for (; this.#levels < levels; this.#levels++) {
      before[this.#levels] = this.#head
      places[this.#levels] = 0
      this.#head.spans[this.#levels] = this.size - 1
    }
    const added = node(member, score, levels)
    const bottom = places[0] as number
    for (let level = 0; level < levels; level++) {
      const left = before[level] as SortedNode
      const skipped = bottom - (places[level] as number)
      added.next[level] = left.next[level]
      added.spans[level] = (left.spans[level] as number) - skipped
      left.next[level] = added
      left.spans[level] = skipped + 1
    }
    for (let level = levels; level < this.#levels; level++) {
      const left = before[level] as SortedNode
      left.spans[level] = (left.spans[level] as number) + 1
    }
    const left = before[0] as SortedNode
    added.previous = left === this.#head ? undefined : left
    const right = added.next[0]
    if (right) right.previous = added
  }
  #unlink(member: string, score: number): void {
    let at = this.#head
    let found: SortedNode | undefined
    for (let level = this.#levels - 1; level >= 0; level--) {
      for (let next = at.next[level]; next && precedes(next, score, member); next = at.next[level]) at = next
      const next = at.next[level]
      if (next && next.member === member && next.score === score) {
        found = next
        at.spans[level] = (at.spans[level] as number) + (next.spans[level] as number) - 1
        at.next[level] = next.next[level]
      } else at.spans[level] = (at.spans[level] as number) - 1
    }
    const right = found?.next[0]
    if (right) right.previous = found?.previous
    while (this.#levels > 1 && !this.#head.next[this.#levels - 1]) this.#levels--
  }

  /** Number of members for which `isBefore` is true. It must be true up to some rank, and false from there on. */
  countBefore(isBefore: (node: SortedNode) => boolean): number {
    let at = this.#head
    let place = 0
    for (let level = this.#levels - 1; level >= 0; level--) {
      for (let next = at.next[level]; next && isBefore(next); next = at.next[level]) {
        place += at.spans[level] as number
        at = next
      }
    }
    return place
  }
  /** The rank, from 0; undefined for a name that is not a member. */
  rank(member: string): number | undefined {
    const score = this.get(member)
    return score === undefined ? undefined : this.countBefore((one) => precedes(one, score, member))
  }
  at(rank: number): SortedNode | undefined {
    if (rank < 0) return undefined
    let at = this.#head
    let left = rank + 1
    for (let level = this.#levels - 1; level >= 0; level--) {
      for (let next = at.next[level]; next && (at.spans[level] as number) <= left; next = at.next[level]) {
        left -= at.spans[level] as number
        at = next
      }
      if (left === 0) return at
    }
    return undefined
  }
  first(): SortedNode | undefined {
    return this.#head.next[0]
  }
  /** `count` members from a rank on, or backwards from it. */
  slice(rank: number, count: number, backwards = false): SortedNode[] {
    const nodes: SortedNode[] = []
    for (let one = this.at(rank); one && nodes.length < count; one = backwards ? one.previous : one.next[0])
      nodes.push(one)
    return nodes
  }
}

const precedes = (one: SortedNode, score: number, member: string): boolean =>
  one.score < score || (one.score === score && one.member < member)
