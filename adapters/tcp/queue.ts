export interface Queue<T> extends Iterable<T> {
  size(): number
  push(item: T): void
  peek(): T | undefined
  shift(): T | undefined
  /** Drops what does not pass. */
  keep(passes: (item: T) => boolean): void
}

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
      if (head === items.length) {
        items = []
        head = 0
      } else if (head === 4096) {
        items = items.slice(head)
        head = 0
      }
      return item
    },
    keep(passes) {
      items = items.slice(head).filter((item) => passes(item as T))
      head = 0
    },
    // Of what is in it now: `keep` may run meanwhile.
    [Symbol.iterator]: () => (items.slice(head) as T[]).values(),
  }
}
