import { ReplyError, type Wire } from '../store/transport.ts'
import { toBytes, toText } from './bytes.ts'

/** The reply of a command, before it is written in RESP2, RESP3 or JavaScript. A plain string is a bulk string. */
export type Reply =
  | null
  | string
  | number
  | bigint
  | ReplyError
  | Simple
  | Double
  | MapReply
  | SetReply
  | Push
  | Verbatim
  | Bool
  | BigNumber
  | typeof NULL_ARRAY
  | readonly Reply[]

/** A status, such as OK. */
export class Simple {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}
export class Double {
  readonly value: number
  /** Its text in a reply. */
  readonly text: string
  constructor(value: number, text: string = formatDouble(value)) {
    this.value = value
    this.text = text
  }
}
/** Names and values alternate. */
export class MapReply {
  readonly items: readonly Reply[]
  constructor(items: readonly Reply[]) {
    this.items = items
  }
}
export class SetReply {
  readonly items: readonly Reply[]
  constructor(items: readonly Reply[]) {
    this.items = items
  }
}
/** A message apart from the order of replies in RESP3, an array in RESP2. */
export class Push {
  readonly items: readonly Reply[]
  constructor(items: readonly Reply[]) {
    this.items = items
  }
}
export class Verbatim {
  readonly text: string
  readonly format: string
  constructor(text: string, format = 'txt') {
    this.text = text
    this.format = format
  }
}
export class Bool {
  readonly value: boolean
  constructor(value: boolean) {
    this.value = value
  }
}
export class BigNumber {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** The null that RESP2 writes as an array of length −1. */
export const NULL_ARRAY: { readonly absent: 'array' } = { absent: 'array' }
export const OK: Simple = new Simple('OK')
export const QUEUED: Simple = new Simple('QUEUED')

/** Text of an error that quotes arguments. As in Redis, each argument ends at its first NUL. */
export function quoting(parts: TemplateStringsArray, ...values: readonly (string | undefined)[]): string {
  return parts.reduce((text, part, i) => text + (values[i - 1] ?? '').split('\0', 1)[0] + part)
}

/** Throws an error reply. The text is Redis's own. */
export function fail(message: string): never {
  throw new ReplyError(message)
}

/** The error reply of what a command threw. Throws what is neither one nor of a size. */
export function replyOf(error: unknown): ReplyError {
  if (error instanceof ReplyError) return error
  // A string here has at most 2^29 - 24 bytes, where a Redis has 2^29.
  if (error instanceof RangeError)
    return new ReplyError('ERR the value or the reply is larger than this process can hold')
  throw error
}

/** Integers up to this size are written with all their digits. */
const MOST_EXACT = 2 ** 62

/**
 * Whether the shortest digits of a large number are exactly halfway between it and the next double. Redis then writes one
 * digit more.
 */
function isBetween(value: number, shortest: string): boolean {
  if (value < MOST_EXACT || value > 1e25) return false
  const [mantissa = '', power = '0'] = shortest.split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  const digits = BigInt(whole + fraction) * 10n ** BigInt(Number(power) - fraction.length)
  const off = digits - BigInt(value)
  return off !== 0n && (off < 0n ? -off : off) * 2n === BigInt(2 ** (Math.floor(Math.log2(value)) - 52))
}

/** The number with 16 digits, or with 17 if the sixteenth is 0. */
const longer = (value: number): string => {
  const text = value.toExponential(15)
  return text.includes('0e') ? value.toExponential(16) : text
}

/** Writes a double as Redis does: with the fewest digits that are read as the same number. */
function formatDouble(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (value === Number.POSITIVE_INFINITY) return 'inf'
  if (value === Number.NEGATIVE_INFINITY) return '-inf'
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  if (Number.isInteger(value) && Math.abs(value) <= MOST_EXACT) return `${BigInt(value)}`
  const shortest = Math.abs(value).toExponential()
  const [mantissa = '', power = '0'] = (
    isBetween(Math.abs(value), shortest) ? longer(Math.abs(value)) : shortest
  ).split('e')
  const digits = mantissa.replace('.', '')
  const sign = value < 0 ? '-' : ''
  const exponent = Number(power)
  const k = exponent - digits.length + 1
  if (k >= 0 && exponent < digits.length + 7) return sign + digits + '0'.repeat(k)
  if (k < 0 && (k > -7 || Math.abs(exponent) < 4)) {
    if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
    return `${sign}${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`
  }
  const point = digits.length > 1 ? `${digits[0]}.${digits.slice(1)}` : digits
  return `${sign}${point}e${exponent < 0 ? '-' : '+'}${Math.abs(exponent)}`
}

const list = (mark: string, items: readonly Reply[], count: number, resp: 2 | 3): string => {
  let text = `${mark}${count}\r\n`
  for (const item of items) text += encode(item, resp)
  return text
}

/** Joins an error message into one line. */
export const errorLine = (message: string): string => message.replace(/^[\r\n]+|[\r\n]+$/g, '').replace(/[\r\n]/g, ' ')

/** A reply in RESP, one unit a byte. */
export function encode(reply: Reply, resp: 2 | 3): string {
  if (typeof reply === 'string') return `$${reply.length}\r\n${reply}\r\n`
  if (typeof reply === 'number' || typeof reply === 'bigint') return `:${reply}\r\n`
  if (reply === null) return resp === 3 ? '_\r\n' : '$-1\r\n'
  if (reply instanceof Simple) return `+${reply.text}\r\n`
  if (Array.isArray(reply)) return list('*', reply, reply.length, resp)
  // Joined into one line, because an error may quote text with line breaks from a client.
  if (reply instanceof ReplyError) return `-${errorLine(reply.message)}\r\n`
  if (reply instanceof Double) return resp === 3 ? `,${reply.text}\r\n` : `$${reply.text.length}\r\n${reply.text}\r\n`
  if (reply instanceof MapReply) {
    return resp === 3
      ? list('%', reply.items, reply.items.length / 2, 3)
      : list('*', reply.items, reply.items.length, 2)
  }
  if (reply instanceof SetReply) return list(resp === 3 ? '~' : '*', reply.items, reply.items.length, resp)
  if (reply instanceof Push) return list(resp === 3 ? '>' : '*', reply.items, reply.items.length, resp)
  if (reply instanceof Verbatim) {
    return resp === 3
      ? `=${reply.text.length + 4}\r\n${reply.format}:${reply.text}\r\n`
      : `$${reply.text.length}\r\n${reply.text}\r\n`
  }
  if (reply instanceof Bool) return resp === 3 ? `#${reply.value ? 't' : 'f'}\r\n` : `:${reply.value ? 1 : 0}\r\n`
  if (reply instanceof BigNumber) {
    return resp === 3 ? `(${reply.text}\r\n` : `$${reply.text.length}\r\n${reply.text}\r\n`
  }
  return resp === 3 ? '_\r\n' : '*-1\r\n'
}

/** A reply as a transport returns it: flat maps, doubles as text, statuses as strings. */
export function toWire(reply: Reply, bytes: boolean): Wire {
  if (typeof reply === 'string') return bytes ? toBytes(reply) : toText(reply)
  if (typeof reply === 'number' || reply === null) return reply
  if (typeof reply === 'bigint') return Number.isSafeInteger(Number(reply)) ? Number(reply) : reply
  if (Array.isArray(reply)) return reply.map((item) => toWire(item, bytes))
  if (reply instanceof ReplyError) return new ReplyError(toText(reply.message))
  if (reply instanceof Bool) return reply.value ? 1 : 0
  if (reply instanceof MapReply || reply instanceof SetReply || reply instanceof Push) {
    return reply.items.map((item) => toWire(item, bytes))
  }
  if (reply === NULL_ARRAY) return null
  const { text } = reply as Simple | Double | Verbatim | BigNumber
  return bytes ? toBytes(text) : toText(text)
}
