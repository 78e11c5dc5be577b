/** Work that continues after an answer. */
export interface Background {
  /** Tracks `work`, which must not reject, and hands it to `waitUntil` where there is one. */
  add(work: Promise<unknown>, waitUntil: ((work: Promise<unknown>) => void) | undefined): void
  /** Resolves when nothing is left, what was added meanwhile included. */
  flush(): Promise<void>
}

export function createBackground(): Background {
  const pending = new Set<Promise<unknown>>()
  return {
    add(work, waitUntil) {
      const tracked = work.finally(() => pending.delete(tracked))
      pending.add(tracked)
      waitUntil?.(tracked)
    },
    async flush() {
      while (pending.size > 0) await Promise.all(pending)
    },
  }
}
