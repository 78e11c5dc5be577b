import { HitherError } from '../../src/errors.ts'
import { toBase64 } from '../../src/protocol/base64.ts'
import { bytesOf } from './bytes.ts'

// Every argument of a command is checked here: no key, value or number becomes another command, or another flag.

/** Most bytes of a key in a command. */
const MAX_WIRE_KEY = 250
/** Past it memcached takes a lifetime for an instant in seconds since the epoch. */
const MAX_RELATIVE_S = 2_592_000

/** A key as a command names it: as it is, or base64 of its UTF-8, which the server stores decoded. */
export interface WireKey {
  readonly text: string
  /** ` b` where `text` is base64. */
  readonly flag: '' | ' b'
}

/** Undefined for a key that is too long for the wire and has to be hashed. */
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

/** The lifetime `ttlMs` as memcached takes it. Its seconds end on a shared tick, so that one is added: none ends early. */
export function wireTtl(ttlMs: number | undefined, nowMs: number): number {
  if (ttlMs === undefined) return 0
  const seconds = Math.ceil(ttlMs / 1000) + 1
  if (seconds <= MAX_RELATIVE_S) return seconds
  // Of 32 bits; past that it is as good as forever.
  const end = Math.ceil(nowMs / 1000) + seconds
  return end < 2 ** 31 ? end : 0
}

/** Only while the item is unchanged (its CAS number), only where there is none (`absent`), or in any case. */
export type Condition = string | 'absent' | undefined

/** The flags of `md`, and of others: under which condition they change something. */
export function condition(value: Condition): string {
  if (value === undefined) return ''
  if (value === 'absent') return ' ME'
  if (/^\d{1,20}$/.test(value)) return ` C${value}`
  throw new HitherError('INVALID_ARGUMENT', 'a CAS number is digits')
}

/** The flags of `ms` for a value of so many bytes. */
export function setFlags(
  bytes: number,
  { ttl, flags, only }: { readonly ttl: number; readonly flags: number; readonly only: Condition },
): string {
  const lifetime = ttl === 0 ? '' : ` T${integer(ttl, 2 ** 31 - 1)}`
  const client = flags === 0 ? '' : ` F${integer(flags, 2 ** 32 - 1)}`
  return ` ${integer(bytes, 2 ** 31 - 1)}${lifetime}${client}${condition(only)}`
}

/**
 * The flags of `ma`, which adds `by` to a number, or puts `by` where there is none, to live as long as `ttl` says; below 0
 * it subtracts, down to 0.
 */
export function addFlags(by: number, ttl: number | 'exists', only: Condition): string {
  const amount = integer(Math.abs(by), Number.MAX_SAFE_INTEGER)
  const create = ttl === 'exists' ? '' : ` N${integer(ttl, 2 ** 31 - 1)} J${amount}`
  return `${create}${by < 0 ? ' MD' : ''} D${amount}${condition(only)} v`
}
