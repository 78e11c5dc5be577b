import { HitherError, isHitherError, StoreRejectedError } from '../errors.ts'
import { isEntry } from '../protocol/entry.ts'
import { elapsedMs } from '../runtime/clock.ts'
import type { AtomicStore, Call, Store } from '../store/store.ts'
import { addEntry, putEntry, readEntry } from './operations.ts'
import type { NotMovedReason } from './types.ts'

/** A value and when its lifetime ends, by this process's monotonic clock; `undefined`: no end. */
export interface Copy {
  readonly value: string | Uint8Array
  readonly bytes: number
  readonly endsAt: number | undefined
}

/** `large`: longer than was asked for. */
export type Reading = Copy | 'gone' | 'large' | NotMovedReason

/** Two readings of one lifetime differ by a round trip and, on a store that counts seconds, by one of them. */
const SAME_END_MS = 2000
/** Values that keep changing while they are copied: each change is another caller's write. */
const MAX_ATTEMPTS = 50
/** What takes the place of bytes that are no text. */
const REPLACED = '\uFFFD'

/** Reads a key with its lifetime, unless it is longer than `maxBytes`. */
export async function readCopy(from: AtomicStore, key: string, maxBytes: number, call?: Call): Promise<Reading> {
  const sentAt = elapsedMs()
  const reply = await from.run(readEntry, key, [maxBytes], call).catch((error: unknown) => {
    // Where operations run under WATCH, the GET before them is refused.
    if (error instanceof StoreRejectedError && error.reply === 'WRONGTYPE') return 'foreign' as const
    if (isHitherError(error) && error.code === 'INVALID_KEY') return 'long' as const
    throw error
  })
  if (reply === 'foreign') return 'foreign-type'
  if (reply === 'long') return 'key-too-long'
  if (reply === null) return absent(key)
  const [leftMs = 0, bytes = 0, text] = reply as readonly [number, number, string?]
  if (text === undefined) return 'large'
  const endsAt = Number(leftMs) < 0 ? undefined : sentAt + Number(leftMs)
  if (!String(text).includes(REPLACED)) return { value: String(text), bytes: Number(bytes), endsAt }
  const raw = await from.getBytes?.(key, call)
  return raw ? { value: raw, bytes: raw.length, endsAt } : 'gone'
}

function absent(key: string): Reading {
  if (/^~sha256:[\w-]{43}$/.test(key)) return 'hashed-key'
  return key.includes(REPLACED) ? 'binary-key' : 'gone'
}

/** Whether a value could be written as it is. `gone`: its lifetime is over. */
async function write(
  { to, onlyNew, call }: CopyOptions,
  key: string,
  { value, endsAt }: Copy,
): Promise<'written' | 'kept' | 'gone' | NotMovedReason> {
  const leftMs = endsAt === undefined ? undefined : Math.round(endsAt - elapsedMs())
  if (leftMs !== undefined && leftMs < 1) return 'gone'
  const ttlMs = stepped(leftMs, to.traits.ttlStepMs)
  try {
    if (typeof value !== 'string') {
      if (!to.setBytes) return 'bytes'
      if (onlyNew && (await to.getBytes?.(key, call)) !== undefined) return 'kept'
      await to.setBytes(key, value, ttlMs, call)
    } else if (onlyNew && hasOperations(to)) {
      return (await to.run(addEntry, key, [value, leftMs ?? 0], call)) === 1 ? 'written' : 'kept'
    } else if (ttlMs !== leftMs && hasOperations(to) && isOwn(key, value)) {
      await to.run(putEntry, key, [value, leftMs ?? 0], call)
    } else {
      if (onlyNew && (await to.get(key, call)) !== undefined) return 'kept'
      await to.set(key, value, ttlMs, call)
    }
    return 'written'
  } catch (error) {
    if (isHitherError(error) && error.code === 'VALUE_TOO_LARGE') return 'value-too-large'
    if (isHitherError(error) && error.code === 'INVALID_KEY') return 'key-too-long'
    throw error
  }
}

/**
 * A store of coarse lifetimes rounds them up, and may end them a step later still: one step less is at most a step from the
 * truth.
 */
function stepped(leftMs: number | undefined, stepMs: number): number | undefined {
  return leftMs === undefined || stepMs === 1 || leftMs <= 2 * stepMs ? leftMs : leftMs - stepMs
}

/** What hither's operations work on. They keep the end of a lifetime beside it, so that a lock ends when it should. */
function isOwn(key: string, value: string): boolean {
  return key.startsWith(':') || isEntry(value)
}

export function hasOperations(store: Store): store is AtomicStore {
  return typeof (store as Partial<AtomicStore>).run === 'function'
}

export interface CopyOptions {
  readonly from: AtomicStore
  readonly to: Store
  /** Longest value to be read, in bytes. */
  readonly maxBytes: number
  /** A longer one is reported as `large`, and left for later; otherwise it is too large for good. */
  readonly defersLarge?: boolean
  /** Leaves a key alone that the target has. */
  readonly onlyNew: boolean
  readonly call?: Call
}

export type Outcome =
  | { readonly what: 'copied'; readonly bytes: number }
  | { readonly what: 'kept' | 'gone' | 'large' | NotMovedReason }

/**
 * Makes a key of `to` what it is in `from`, also where it is absent there.
 *
 * The race: a caller deletes or changes the key in both stores between the read here and the write here, which would put
 * the old value back. So the source is read again after each write: what differs is copied again. Whoever writes last to
 * the target looks at the source after that, so that both stores end alike. A process that is killed in between leaves the
 * key to the next run, which finds it in the state.
 */
export async function copyKey(options: CopyOptions, key: string): Promise<Outcome> {
  const { from, to, maxBytes, defersLarge, onlyNew, call } = options
  let before = await readCopy(from, key, maxBytes, call)
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    if (before === 'large' && !defersLarge) before = 'value-too-large'
    const isCopy = typeof before === 'object'
    const written = isCopy ? await write(options, key, before as Copy) : (before as Exclude<Reading, Copy>)
    // What the target cannot hold must not leave an older value there.
    if (/^(gone|value-too-large|bytes)$/.test(written) && (!onlyNew || attempt > 0)) await to.delete([key], call)
    if (written !== 'written' && written !== 'gone') return { what: written }
    const after = await readCopy(from, key, maxBytes, call)
    if (isSame(before, after)) {
      return written === 'gone' ? { what: 'gone' } : { what: 'copied', bytes: (before as Copy).bytes }
    }
    before = after
  }
  throw new HitherError('TIMEOUT', 'a key kept changing while it was copied', { retryable: true })
}

function isSame(before: Reading, after: Reading): boolean {
  if (typeof before === 'string' || typeof after === 'string') return isOver(before) && isOver(after)
  if (!isSameValue(before.value, after.value)) return false
  if (before.endsAt === undefined || after.endsAt === undefined) return before.endsAt === after.endsAt
  return Math.abs(before.endsAt - after.endsAt) <= SAME_END_MS
}

/** Absent, or about to be: its lifetime ended on the way. */
function isOver(reading: Reading): boolean {
  return (
    reading === 'gone' ||
    (typeof reading === 'object' && reading.endsAt !== undefined && reading.endsAt <= elapsedMs() + 1)
  )
}

function isSameValue(a: Copy['value'], b: Copy['value']): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
