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
 * | 73 | 16 | lease token; dashes: none; `failed` and dashes: none, and the last load ended without a value |
 * | 89 | 15 | lease until, epoch ms in the last 13 digits; the first digit is 1 where the lease was taken after a load that ended without a value, the second where somebody waits for the lease. After `failed`: until when the failure is shared, epoch ms |
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
  /** The entry is kept after it was fresh. An entry without grace is fresh for as long as the store has it. */
  readonly hasGrace: boolean
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
/** The failure record, in place of a lease token: the last load ended without a value. */
export const FAILED = 'failed----------'
/** The stored length of an absent tag block. */
const NO_TAGS: string = '0'.repeat(8)
/** The stored instant of a lifetime without an end. */
export const NO_END: string = '9'.repeat(15)

const HEADER = /^h[!-~][\w-]{16}\d{55}[\w-]{16}\d{15}[\w-]{16}\d{8}/

export function isEntry(text: string): boolean {
  return HEADER.test(text)
}

/** The entry in a stored text; undefined for text of any other form, which is a miss. */
export function parseEntry(text: string): Entry | undefined {
  return isEntry(text) ? new TextEntry(text) : undefined
}

/**
 * As `parseEntry`, but undefined for an entry that does not have this generation and exactly this tag block. It is cheaper,
 * since it checks nothing else: text with these random characters in this place was written by a cache.
 */
export function parseCurrent(text: string, generation: string, tags: string): Entry | undefined {
  return text[0] === 'h' &&
    generation.length === NONE.length &&
    text.startsWith(generation, 104) &&
    text.startsWith(tags ? String(tags.length).padStart(8, '0') : NO_TAGS, 120) &&
    text.startsWith(tags, 128)
    ? new TextEntry(text)
    : undefined
}

/** Cuts out each field only when it is read: most readers need few. */
class TextEntry implements Entry {
  private readonly text: string
  constructor(text: string) {
    this.text = text
  }
  get mark(): string {
    return this.text.slice(1, 2)
  }
  get id(): string {
    return this.text.slice(2, 18)
  }
  get writtenMs(): number {
    return Number(this.text.slice(18, 34)) / 1000
  }
  get loadMs(): number {
    return Number(this.text.slice(34, 43))
  }
  get freshUntilMs(): number {
    return instant(this.text.slice(43, 58))
  }
  get expiresMs(): number {
    return instant(this.text.slice(58, 73))
  }
  get hasGrace(): boolean {
    // Compared as text, without parsing: nearly every reader needs this, and this alone.
    return this.text.slice(43, 58) !== this.text.slice(58, 73)
  }
  get lease(): string {
    return this.text.slice(73, 89)
  }
  get generation(): string {
    return this.text.slice(104, 120)
  }
  get tags(): string {
    return this.text.slice(128, bodyOf(this.text))
  }
  get payload(): string {
    return this.text.slice(bodyOf(this.text))
  }
}

function bodyOf(text: string): number {
  return text.startsWith(NO_TAGS, 120) ? 128 : 128 + Number(text.slice(120, 128))
}

function instant(digits: string): number {
  return digits === NO_END ? NEVER : Number(digits)
}

/**
 * Whether the lifetime of a copy lasts beyond `nowMs`. Its presence in the store shows that, unless a lease keeps its key
 * longer.
 */
export function isKept(entry: Entry, nowMs: number): boolean {
  return entry.lease === NONE || entry.expiresMs > nowMs
}

/** Whether the entry has a value that is fresh by `clock`. Without grace its presence in the store shows that it is. */
export function isFresh(entry: Entry, clock: () => number): boolean {
  return entry.mark !== NO_VALUE && (!entry.hasGrace || entry.freshUntilMs > clock())
}
