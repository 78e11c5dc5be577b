export interface Queue<T> extends Iterable<T> {
  size(): number
  push(item: T): void
  peek(): T | undefined
  shift(): T | undefined
  /** Removes the items that do not pass. */
  keep(passes: (item: T) => boolean): void
}

/** Most places of removed items that are kept. */
const MOST_GONE = 1024

/** First in, first out, each in constant time. */
export function createQueue<T>(): Queue<T> {
  let items: (T | undefined)[] = []
  let head = 0
  return {
    size: () => items.length - head,
    push(item) {
      items.push(item)
    },
    peek: () => items[head],
    shift() {
      const item = items[head]
      if (head === items.length) return undefined
      items[head++] = undefined
      // Not whenever the queue is empty: that would make a new array, and its first item makes V8 allocate sixteen places more.
      if (head === MOST_GONE) {
        items = items.slice(head)
        head = 0
      }
      return item
    },
    keep(passes) {
      items = items.slice(head).filter((item) => passes(item as T))
      head = 0
    },
    // Over a copy, since `keep` may run meanwhile.
    [Symbol.iterator]: () => (items.slice(head) as T[]).values(),
  }
}
