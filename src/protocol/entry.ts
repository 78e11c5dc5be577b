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
  /** Epoch ms by the store's clock. */
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

const HEADER = /^h([!-~])([\w-]{16})(\d{13})\d{3}(\d{9})(\d{15})(\d{15})([\w-]{16})\d{15}([\w-]{16})(\d{8})/

export function isEntry(text: string): boolean {
  return HEADER.test(text)
}

/** Undefined for text of any other form: a miss. */
export function parseEntry(text: string): Entry | undefined {
  const match = HEADER.exec(text)
  if (!match) return undefined
  const [header, mark, id, written, load, fresh, expires, lease, generation, length] = match as unknown as string[]
  const body = (header as string).length + Number(length)
  const instant = (digits: string | undefined): number =>
    digits === NO_END ? Number.POSITIVE_INFINITY : Number(digits)
  return {
    mark: mark as string,
    id: id as string,
    writtenMs: Number(written),
    loadMs: Number(load),
    freshUntilMs: instant(fresh),
    expiresMs: instant(expires),
    lease: lease as string,
    generation: generation as string,
    tags: text.slice((header as string).length, body),
    payload: text.slice(body),
  }
}

/** Whether the entry holds a value that counts as fresh at `nowMs`. Without grace its presence in the store says so. */
export function isFresh(entry: Entry, nowMs: number): boolean {
  return entry.mark !== NO_VALUE && (entry.freshUntilMs === entry.expiresMs || entry.freshUntilMs > nowMs)
}
