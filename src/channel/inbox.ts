/** A message, or a gap where messages were lost. */
type Item<M> = { readonly type: 'message'; readonly value: M } | { readonly type: 'gap' }

/** A bounded queue between a source of messages, which never waits, and one reader. */
export interface Inbox<M> {
  add(message: M): void
  /** Queues a gap: messages may have been missed here. Several gaps in a row become one. */
  lose(): void
  /** Ends the inbox. Queued items are still read; then `next` resolves to undefined, or rejects if `fail` was called. */
  end(): void
  /** Makes `next` reject with the first reason: at once, or after `end` once the queued items are read. */
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
        // The reader is behind: a gap replaces the oldest items, even if `maxQueued` is 1 (the gap and the message then make 2).
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
