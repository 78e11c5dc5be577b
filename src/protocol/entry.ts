import { NEVER } from '../runtime/clock.ts'

/**
 * The stored form 1 of an entry: an ASCII header of 128 characters, the tag block, the payload.
 *
 * | from | length | field |
 * | ---: | -----: | --- |
 * | 0 | 1 | form: `h` |
 * | 1 | 1 | codec mark; `-`: no value, a lease only |
 * | 2 | 16 | id: random, new with every write |
 * | 18 | 16 | written at, µs since the epoch by the store's clock |
 * | 34 | 9 | load time, ms |
 * | 43 | 15 | fresh until, epoch ms; nines: no end |
 * | 58 | 15 | expires, epoch ms; equal to fresh-until without grace: then the server's lifetime alone decides |
 * | 73 | 16 | lease token; dashes: none |
 * | 89 | 15 | lease until, epoch ms |
 * | 104 | 16 | generation of the namespace; dashes: none |
 * | 120 | 8 | length of the tag block, which is ASCII |
 */
export interface Entry {
  readonly mark: string
  readonly id: string
  /** Epoch ms by the store's clock, to the microsecond. */
  readonly writtenMs: number
  readonly loadMs: number
  /** Epoch ms; `Infinity` without an end. */
  readonly freshUntilMs: number
  readonly expiresMs: number
  readonly lease: string
  readonly generation: string
  /** The tag block. */
  readonly tags: string
  readonly payload: string
}

/** The mark of an entry that holds nothing but a lease. */
export const NO_VALUE = '-'
/** An absent id, token or generation. */
export const NONE: string = NO_VALUE.repeat(16)
/** The instant of a lifetime without an end. */
export const NO_END: string = '9'.repeat(15)

const HEADER = /^h[!-~][\w-]{16}\d{55}[\w-]{16}\d{15}[\w-]{16}\d{8}/

export function isEntry(text: string): boolean {
  return HEADER.test(text)
}

/** Undefined for text of any other form: a miss. */
export function parseEntry(text: string): Entry | undefined {
  if (!isEntry(text)) return undefined
  const cut = (from: number, to?: number): string => text.slice(from, to)
  const instant = (from: number): number => (cut(from, from + 15) === NO_END ? NEVER : Number(cut(from, from + 15)))
  const body = 128 + Number(cut(120, 128))
  return {
    mark: cut(1, 2),
    id: cut(2, 18),
    writtenMs: Number(cut(18, 34)) / 1000,
    loadMs: Number(cut(34, 43)),
    freshUntilMs: instant(43),
    expiresMs: instant(58),
    lease: cut(73, 89),
    generation: cut(104, 120),
    tags: cut(128, body),
    payload: cut(body),
  }
}

/** Whether a copy's life goes on at `nowMs`. Its presence in the store says so, unless a lease keeps its key longer. */
export function isKept(entry: Entry, nowMs: number): boolean {
  return entry.lease === NONE || entry.expiresMs > nowMs
}

/** Whether the entry holds a value that counts as fresh at `nowMs`. Without grace its presence in the store says so. */
export function isFresh(entry: Entry, nowMs: number): boolean {
  return entry.mark !== NO_VALUE && (entry.freshUntilMs === entry.expiresMs || entry.freshUntilMs > nowMs)
}
