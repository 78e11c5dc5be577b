import { HitherError } from '../../src/errors.ts'
import { toBase64 } from '../../src/protocol/base64.ts'
import { bytesOf } from './bytes.ts'

// Checks every argument of a command, so that no key, value or number can become another command or another flag.

/** Longest key in a command, in bytes. */
const MAX_WIRE_KEY = 250
/** Longest lifetime in seconds. memcached takes a larger number for a time in seconds since the epoch. */
const MAX_RELATIVE_S = 2_592_000

/** A key as a command names it: the key itself, or base64 of its UTF-8, which the server decodes before it stores the key. */
export interface WireKey {
  readonly text: string
  /** ` b` if `text` is base64. */
  readonly flag: '' | ' b'
}

/** Undefined for a key that is too long for a command and must be stored under its digest. */
export function wireKey(key: string): WireKey | undefined {
  if (key.length <= MAX_WIRE_KEY && /^[!-~]+$/.test(key)) return { text: key, flag: '' }
  if (key === '' || key.length > MAX_WIRE_KEY) return undefined
  const text = toBase64(bytesOf(key))
  return text.length <= MAX_WIRE_KEY ? { text, flag: ' b' } : undefined
}

function integer(value: number, most: number): number {
  if (Number.isSafeInteger(value) && value >= 0 && value <= most) return value
  throw new HitherError('INVALID_ARGUMENT', 'a number of a memcached command is a whole one in its bounds')
}

/** `ttlMs` as memcached takes it. The server counts seconds by a shared tick, so one is added: no lifetime ends early. */
export function wireTtl(ttlMs: number | undefined, nowMs: number): number {
  if (ttlMs === undefined) return 0
  const seconds = Math.ceil(ttlMs / 1000) + 1
  if (seconds <= MAX_RELATIVE_S) return seconds
  // The server takes 32 bits. A later end is as good as none.
  const end = Math.ceil(nowMs / 1000) + seconds
  return end < 2 ** 31 ? end : 0
}

/** Change the item only if its CAS number is this one, only if there is no item (`absent`), or in any case (undefined). */
export type Condition = string | 'absent' | undefined

/** The flags that make a command conditional, alone for `md` or added to others. */
export function condition(value: Condition): string {
  if (value === undefined) return ''
  if (value === 'absent') return ' ME'
  if (/^\d{1,20}$/.test(value)) return ` C${value}`
  throw new HitherError('INVALID_ARGUMENT', 'a CAS number is digits')
}

/** The flags of `ms` for a value of `bytes` bytes. */
export function setFlags(
  bytes: number,
  { ttl, flags, only }: { readonly ttl: number; readonly flags: number; readonly only: Condition },
): string {
  const lifetime = ttl === 0 ? '' : ` T${integer(ttl, 2 ** 31 - 1)}`
  const client = flags === 0 ? '' : ` F${integer(flags, 2 ** 32 - 1)}`
  return ` ${integer(bytes, 2 ** 31 - 1)}${lifetime}${client}${condition(only)}`
}

/**
 * The flags of `ma`, which adds `by` to a number. Where there is no item, it stores `by` with the lifetime `ttl`, unless that
 * is `exists`. A negative `by` subtracts, down to 0.
 */
export function addFlags(by: number, ttl: number | 'exists', only: Condition): string {
  const amount = integer(Math.abs(by), Number.MAX_SAFE_INTEGER)
  const create = ttl === 'exists' ? '' : ` N${integer(ttl, 2 ** 31 - 1)} J${amount}`
  return `${create}${by < 0 ? ' MD' : ''} D${amount}${condition(only)} v`
}
