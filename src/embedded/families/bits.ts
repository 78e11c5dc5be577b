import { fromBytes, toBytes } from '../bytes.ts'
import type { Client, Family } from '../contracts.ts'
import { exactInt, type Int, int, intBetween, parseInt64 } from '../numbers.ts'
import { fail, type Reply } from '../reply.ts'
import { SYNTAX } from './strings.ts'

const MAX_BITS = 2 ** 32
const BAD_OFFSET = 'ERR bit offset is not an integer or out of range'

const bitAt = (value: string, at: number): number => (value.charCodeAt(Math.floor(at / 8)) >> (7 - (at % 8))) & 1 || 0

function offsetOf(text: string | undefined): number {
  return intBetween(text, 0, MAX_BITS - 1, BAD_OFFSET)
}

function setBit(client: Client, args: readonly string[]): Reply {
  const key = args[1] as string
  const at = offsetOf(args[2])
  const bit = intBetween(args[3], 0, 1, 'ERR bit is not an integer or out of range')
  const old = client.string(key) ?? ''
  const place = Math.floor(at / 8)
  const before = bitAt(old, at)
  const padded = old.padEnd(place + 1, '\0')
  const mask = 128 >> (at % 8)
  const byte = bit ? padded.charCodeAt(place) | mask : padded.charCodeAt(place) & ~mask
  if (before === bit && padded === old) return before
  client.put(key, padded.slice(0, place) + String.fromCharCode(byte) + padded.slice(place + 1))
  client.changed(key, '$', 'setbit')
  return before
}

/** The first and the last bit of a range in bytes or bits; undefined if it is empty. */
function bitRange(length: number, from: number, to: number, unit: number): readonly [number, number] | undefined {
  const total = (length * 8) / unit
  const first = Math.max(0, from < 0 ? total + from : from)
  const last = Math.min(total - 1, Math.max(0, to < 0 ? total + to : to))
  return first > last ? undefined : [first * unit, last * unit + unit - 1]
}

function unitOf(word: string | undefined): number {
  if (word === undefined) return 8
  return word.toUpperCase() === 'BIT' ? 1 : word.toUpperCase() === 'BYTE' ? 8 : fail(SYNTAX)
}

const ones = Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length)

function count(client: Client, args: readonly string[]): Reply {
  if (args.length === 3 || args.length > 5) fail(SYNTAX)
  const asked = args.length > 2 ? ([int(args[2]), int(args[3]), unitOf(args[4])] as const) : undefined
  const value = client.string(args[1] as string)
  if (value === undefined) return 0
  if (asked && asked[0] < 0 && asked[1] < 0 && asked[0] > asked[1]) return 0
  const range = asked ? bitRange(value.length, ...asked) : ([0, value.length * 8 - 1] as const)
  if (!range) return 0
  let sum = 0
  for (let at = range[0]; at <= range[1]; ) {
    if (at % 8 === 0 && at + 7 <= range[1]) {
      sum += ones[value.charCodeAt(at / 8)] as number
      at += 8
    } else sum += bitAt(value, at++)
  }
  return sum
}

function position(client: Client, args: readonly string[]): Reply {
  const bit = int(args[2])
  if (bit !== 0 && bit !== 1) fail('ERR The bit argument must be 1 or 0.')
  const hasEnd = args.length > 4
  if (args.length > 6) fail(SYNTAX)
  const from = args.length > 3 ? int(args[3]) : 0
  const unit = unitOf(args[5])
  const to = hasEnd ? int(args[4]) : -1
  const value = client.string(args[1] as string)
  if (value === undefined) return bit ? -1 : 0
  const range = bitRange(value.length, from, to, unit)
  if (!range) return -1
  const skipped = bit ? 0 : 255
  for (let at = range[0]; at <= range[1]; ) {
    if (at % 8 === 0 && at + 7 <= range[1] && value.charCodeAt(at / 8) === skipped) at += 8
    else if (bitAt(value, at) === bit) return at
    else at++
  }
  return bit || hasEnd ? -1 : value.length * 8
}

function combine(client: Client, args: readonly string[]): Reply {
  const [, name = '', target = '', ...sources] = args
  const operation = name.toUpperCase()
  if (!/^(AND|OR|XOR|NOT)$/.test(operation)) fail(SYNTAX)
  if (operation === 'NOT' && sources.length !== 1) fail('ERR BITOP NOT must be called with a single source key.')
  const values = sources.map((key) => client.string(key) ?? '')
  const length = values.reduce((most, value) => Math.max(most, value.length), 0)
  const result = new Uint8Array(length)
  const parts = values.map(toBytes)
  for (let i = 0; i < length; i++) {
    let byte = parts[0]?.[i] ?? 0
    if (operation === 'NOT') byte = ~byte
    for (const part of parts.slice(1)) {
      const other = part[i] ?? 0
      byte = operation === 'AND' ? byte & other : operation === 'OR' ? byte | other : byte ^ other
    }
    result[i] = byte
  }
  if (length === 0) {
    if (client.remove(target)) client.changed(target, 'g', 'del')
  } else {
    client.replace(target, fromBytes(result))
    client.changed(target, '$', 'set')
  }
  return length
}

interface Step {
  readonly verb: 'GET' | 'SET' | 'INCRBY'
  readonly signed: boolean
  readonly bits: number
  readonly at: number
  readonly value: Int
  readonly overflow: 'WRAP' | 'SAT' | 'FAIL'
}

const BAD_TYPE = 'ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.'

function readSteps(args: readonly string[], readOnly: boolean): Step[] {
  const steps: Step[] = []
  let overflow: Step['overflow'] = 'WRAP'
  for (let i = 2; i < args.length; ) {
    const verb = (args[i] as string).toUpperCase()
    const rest = args.length - i - 1
    if (verb === 'OVERFLOW' && rest >= 1) {
      const how = (args[i + 1] as string).toUpperCase()
      if (!/^(WRAP|SAT|FAIL)$/.test(how)) fail('ERR Invalid OVERFLOW type specified')
      overflow = how as Step['overflow']
      i += 2
      continue
    }
    const takes = verb === 'GET' ? 2 : 3
    if (!/^(GET|SET|INCRBY)$/.test(verb) || rest < takes) fail(SYNTAX)
    const [, sign = '', digits = ''] = /^([iu])(\d+)$/.exec(args[i + 1] as string) ?? []
    const bits = Number(digits)
    if (parseInt64(digits) === undefined || bits < 1 || bits > (sign === 'i' ? 64 : 63)) fail(BAD_TYPE)
    const place = args[i + 2] as string
    const at = place.startsWith('#') ? intBetween(place.slice(1), 0, MAX_BITS - 1, BAD_OFFSET) * bits : offsetOf(place)
    if (at >= MAX_BITS) fail(BAD_OFFSET)
    if (readOnly && verb !== 'GET') fail('ERR BITFIELD_RO only supports the GET subcommand')
    const value = takes === 3 ? exactInt(args[i + 3]) : 0
    steps.push({ verb: verb as Step['verb'], signed: sign === 'i', bits, at, value, overflow })
    i += takes + 1
  }
  return steps
}

function readField(bytes: Uint8Array, { at, bits, signed }: Step): bigint {
  let value = 0n
  for (let i = at; i < at + bits; i++) {
    value = (value << 1n) | BigInt(((bytes[Math.floor(i / 8)] ?? 0) >> (7 - (i % 8))) & 1)
  }
  return signed ? BigInt.asIntN(bits, value) : value
}

function writeField(bytes: Uint8Array, { at, bits }: Step, value: bigint): void {
  for (let i = 0; i < bits; i++) {
    const place = at + i
    const mask = 128 >> (place % 8)
    const bit = (value >> BigInt(bits - 1 - i)) & 1n
    const byte = bytes[Math.floor(place / 8)] as number
    bytes[Math.floor(place / 8)] = bit ? byte | mask : byte & ~mask
  }
}

/** The number to store when a value may not fit; undefined: nothing is stored. */
function fitted(value: bigint, { bits, signed, overflow }: Step): bigint | undefined {
  const max = signed ? 2n ** BigInt(bits - 1) - 1n : 2n ** BigInt(bits) - 1n
  const min = signed ? -(2n ** BigInt(bits - 1)) : 0n
  if (value >= min && value <= max) return value
  if (overflow === 'FAIL') return undefined
  if (overflow === 'SAT') return value > max ? max : min
  return signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value)
}

const small = (value: bigint): Int => (Number.isSafeInteger(Number(value)) ? Number(value) : value)

function bitfield(client: Client, args: readonly string[], readOnly: boolean): Reply {
  const steps = readSteps(args, readOnly)
  const key = args[1] as string
  const old = client.string(key)
  let bytes = toBytes(old ?? '')
  const writes = steps.filter(({ verb }) => verb !== 'GET')
  const length = Math.max(0, ...writes.map(({ at, bits }) => Math.floor((at + bits - 1) / 8) + 1))
  if (length > bytes.length) {
    const longer = new Uint8Array(length)
    longer.set(bytes)
    bytes = longer
  }
  let changed = false
  const replies = steps.map((step): Reply => {
    const before = readField(bytes, step)
    if (step.verb === 'GET') return small(before)
    const given = BigInt(step.value)
    const wanted = step.verb === 'SET' ? (step.signed ? given : BigInt.asUintN(64, given)) : before + given
    const after = fitted(wanted, step)
    if (after === undefined) return null
    writeField(bytes, step, after)
    changed = true
    return small(step.verb === 'SET' ? before : after)
  })
  if (changed || (writes.length > 0 && length > (old?.length ?? 0))) {
    client.put(key, fromBytes(bytes))
    client.changed(key, '$', 'setbit')
  }
  return replies
}

export const bits: Family = {
  setbit: setBit,
  getbit(client, args) {
    const at = offsetOf(args[2])
    return bitAt(client.string(args[1] as string) ?? '', at)
  },
  bitcount: count,
  bitpos: position,
  bitop: combine,
  bitfield: (client, args) => bitfield(client, args, false),
  bitfield_ro: (client, args) => bitfield(client, args, true),
}
