/** An item of an inbox, or word that some were lost before it. */
type Item<M> = { readonly type: 'message'; readonly value: M } | { readonly type: 'gap' }

/** A bounded queue between who delivers, at once, and one reader. */
export interface Inbox<M> {
  add(message: M): void
  /** Messages may have been missed here. Several in a row are one. */
  lose(): void
  /** What is queued is read first, then `next` resolves to undefined. */
  end(): void
  /** `next` rejects with the first reason, at once. */
  fail(reason: unknown): void
  /** The next item; undefined once it has ended. */
  next(): Promise<Item<M> | undefined>
}

export function createInbox<M>(maxQueued: number): Inbox<M> {
  const items: Item<M>[] = []
  let failure: { readonly reason: unknown } | undefined
  let ended = false
  const waiting: (() => void)[] = []
  const wake = (): void => {
    for (const go of waiting.splice(0)) go()
  }
  const lose = (): void => {
    if (ended || items.at(-1)?.type === 'gap') return
    items.push({ type: 'gap' })
    wake()
  }
  return {
    add(value) {
      if (ended) return
      if (items.length >= maxQueued) {
        // The reader is behind: the oldest go, and a gap is put in their place, even if there is room for only one item.
        items.splice(0, Math.max(1, items.length - Math.max(maxQueued, 2) + 2), { type: 'gap' })
        if (items[1]?.type === 'gap') items.splice(1, 1)
      }
      items.push({ type: 'message', value })
      wake()
    },
    lose,
    end() {
      ended = true
      wake()
    },
    fail(reason) {
      failure ??= { reason }
      wake()
    },
    async next() {
      for (;;) {
        if (failure && !(ended && items.length > 0)) throw failure.reason
        const item = items.shift()
        if (item) return item
        if (ended) return undefined
        await new Promise<void>((resolve) => waiting.push(resolve))
      }
    },
  }
}
