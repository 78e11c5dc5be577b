import { HitherError, isHitherError, StoreRejectedError } from '../errors.ts'
import { isEntry } from '../protocol/entry.ts'
import { elapsedMs } from '../runtime/clock.ts'
import type { AtomicStore, Call, Store } from '../store/store.ts'
import { addEntry, putEntry, readEntry } from './operations.ts'
import type { NotMovedReason } from './types.ts'

/** A value and the end of its lifetime by this process's monotonic clock; `undefined`: it has no end. */
export interface Copy {
  readonly value: string | Uint8Array
  readonly bytes: number
  readonly endsAt: number | undefined
}

/** `large`: the value is longer than `maxBytes`. */
export type Reading = Copy | 'gone' | 'large' | NotMovedReason

/** Two readings of one lifetime may differ by a round trip and, on a store that counts seconds, by one second. */
const SAME_END_MS = 2000
/** Most copies of a value that keeps changing while it is copied. Each change is another caller's write. */
const MAX_ATTEMPTS = 50
/** The character that stands for bytes which are not text. */
const REPLACED = '\uFFFD'

/** Reads a key with its lifetime, unless the value is longer than `maxBytes`. */
export async function readCopy(from: AtomicStore, key: string, maxBytes: number, call?: Call): Promise<Reading> {
  const sentAt = elapsedMs()
  const reply = await from.run(readEntry, key, [maxBytes], call).catch((error: unknown) => {
    // Where operations run under WATCH, the server refuses the GET before them.
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

/** Writes a value. `gone`: its lifetime is over, so nothing was written. `kept`: the target has the key already. */
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
 * A store of coarse lifetimes rounds them up, and may end them one step later still. So it is given one step less, which ends
 * the lifetime at most one step too early or too late.
 */
function stepped(leftMs: number | undefined, stepMs: number): number | undefined {
  return leftMs === undefined || stepMs === 1 || leftMs <= 2 * stepMs ? leftMs : leftMs - stepMs
}

/** Whether hither's operations use the value. They store the end of the lifetime with it, so that a lock ends on time. */
function isOwn(key: string, value: string): boolean {
  return key.startsWith(':') || isEntry(value)
}

export function hasOperations(store: Store): store is AtomicStore {
  return typeof (store as Partial<AtomicStore>).run === 'function'
}

export interface CopyOptions {
  readonly from: AtomicStore
  readonly to: Store
  /** Longest value that is read, in bytes. */
  readonly maxBytes: number
  /** A longer value is reported as `large`, to be copied later. Otherwise it counts as too large. */
  readonly defersLarge?: boolean
  /** Leaves a key alone if the target has it. */
  readonly onlyNew: boolean
  readonly call?: Call
}

export type Outcome =
  | { readonly what: 'copied'; readonly bytes: number }
  | { readonly what: 'kept' | 'gone' | 'large' | NotMovedReason }

/**
 * Makes a key in `to` equal to the key in `from`, also if it is absent there.
 *
 * The race: between the read and the write here, a caller deletes or changes the key in both stores, and the write would bring
 * the old value back. So the source is read again after each write, and copied again if it differs. Every writer to the target
 * reads the source after its write, so the last one leaves both stores equal. If the process is killed in between, the
 * next run finds the key in the state.
 */
export async function copyKey(options: CopyOptions, key: string): Promise<Outcome> {
  const { from, to, maxBytes, defersLarge, onlyNew, call } = options
  let before = await readCopy(from, key, maxBytes, call)
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    if (before === 'large' && !defersLarge) before = 'value-too-large'
    const isCopy = typeof before === 'object'
    const written = isCopy ? await write(options, key, before as Copy) : (before as Exclude<Reading, Copy>)
    // The target must not keep an older value when it cannot hold the new one.
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

/** Whether the key is absent or its lifetime has ended on the way. */
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
