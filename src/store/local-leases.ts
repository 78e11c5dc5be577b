import type { Arg } from '../protocol/operation.ts'

/** A text, the end of its lifetime in epoch milliseconds (0: none), and what the store holds beneath it. */
export interface Leased {
  readonly text: string
  readonly endMs: number
  readonly base: string | undefined
}

/** A lease as it is kept: without the value, which the store has. */
interface Kept {
  /** The text, or its first characters if the others are those of the store's. */
  readonly head: string
  readonly isCopy: boolean
  readonly endMs: number
  /** By which the store's text is recognized. */
  readonly mark: string
}

/**
 * The leases over a client without operations. They hold within this process alone, so the store is not asked to keep them: it
 * would take a second write for each load, and Workers KV refuses a second write to a key within a second.
 */
export interface LocalLeases {
  /** What the key holds: `base`, which the store holds, or that with the lease which was kept over it. */
  over(key: string, base: string | undefined): string | undefined
  keep(key: string, leased: Leased, nowMs: number): void
  drop(keys: readonly string[]): void
}

const MAX_LEASES = 10_000
/** Of an entry: the lease and what precedes it. */
const HEAD = 104

/** `<end in epoch milliseconds, base 36, 0: none> <value>` */
export function frame(text: string, endMs: number): string {
  return `${endMs.toString(36)} ${text}`
}

/** Whether the step of an entry with these arguments changes nothing but its lease. */
export function isLeaseStep(operation: string, [verb]: readonly Arg[]): boolean {
  return operation.startsWith('entry.') && /^(lease|release|fail|gone)$/.test(`${verb}`)
}

export function createLocalLeases(): LocalLeases {
  const leases = new Map<string, Kept>()
  return {
    over(key, base) {
      const kept = leases.size > 0 ? leases.get(key) : undefined
      // A read may lag and show what the store held earlier, so another text beneath the lease does not end it here.
      if (!kept || kept.mark !== markOf(base)) return base
      return frame(kept.isCopy ? kept.head + tailOf(base) : kept.head, kept.endMs)
    },
    keep(key, { text, endMs, base }, nowMs) {
      leases.delete(key)
      if (frame(text, endMs) === base) return
      const isCopy = text.slice(HEAD) === tailOf(base)
      leases.set(key, {
        head: detached(isCopy ? text.slice(0, HEAD) : text),
        isCopy,
        endMs,
        mark: detached(markOf(base)),
      })
      // Requests that ended have left leases behind.
      for (const [old, { endMs }] of leases) {
        if (leases.size <= MAX_LEASES && (endMs === 0 || endMs > nowMs)) break
        leases.delete(old)
      }
    },
    drop(keys) {
      if (leases.size > 0) for (const key of keys) leases.delete(key)
    },
  }
}

function tailOf(base = ''): string {
  return base.slice(base.indexOf(' ') + 1 + HEAD)
}

/** The length and the first characters, among which an entry has its id and its times. */
function markOf(base: string | undefined): string {
  return base === undefined ? '' : `${base.length} ${base.slice(0, 140)}`
}

/** The same characters. V8 keeps all of a text in memory for a part of it. */
function detached(part: string): string {
  return [...part].join('')
}
