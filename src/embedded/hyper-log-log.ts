import { fromBytes, toBytes } from './bytes.ts'

/** HyperLogLog as in Redis: 16,384 registers of 6 bits, MurmurHash64A, and Ertl's estimator. */

const REGISTERS = 16_384
const BITS = 14
const MAX_RANK = 64 - BITS
const HEADER = 16
const DENSE_BYTES = HEADER + (REGISTERS * 6) / 8
const MASK = 2n ** 64n - 1n
const M = 0xc6a4a7935bd1e995n

function murmur64(text: string): bigint {
  const length = text.length
  let h = 0xadc83b19n ^ ((BigInt(length) * M) & MASK)
  const word = (at: number, count: number): bigint => {
    let value = 0n
    for (let i = count - 1; i >= 0; i--) value = (value << 8n) | BigInt(text.charCodeAt(at + i))
    return value
  }
  let at = 0
  for (; at + 8 <= length; at += 8) {
    let k = (word(at, 8) * M) & MASK
    k ^= k >> 47n
    k = (k * M) & MASK
    h = ((h ^ k) * M) & MASK
  }
  if (at < length) h = ((h ^ word(at, length - at)) * M) & MASK
  h ^= h >> 47n
  h = (h * M) & MASK
  return h ^ (h >> 47n)
}

/** The register of an element, and the rank that the element gives it. */
function placeOf(element: string): readonly [register: number, rank: number] {
  const hash = murmur64(element)
  let rest = (hash >> BigInt(BITS)) | (1n << BigInt(MAX_RANK))
  let rank = 1
  while ((rest & 1n) === 0n) {
    rank++
    rest >>= 1n
  }
  return [Number(hash & BigInt(REGISTERS - 1)), rank]
}

/** The registers in a string; undefined if it is not a HyperLogLog. */
export function readRegisters(value: string): Uint8Array | undefined {
  if (!value.startsWith('HYLL') || value.length < HEADER) return undefined
  const encoding = value.charCodeAt(4)
  if (encoding === 0) return value.length === DENSE_BYTES ? readDense(value) : undefined
  return encoding === 1 ? readSparse(value) : undefined
}

function readDense(value: string): Uint8Array {
  const registers = new Uint8Array(REGISTERS)
  for (let i = 0; i < REGISTERS; i++) {
    const at = HEADER + Math.floor((i * 6) / 8)
    const shift = (i * 6) & 7
    registers[i] = ((value.charCodeAt(at) | ((value.charCodeAt(at + 1) || 0) << 8)) >> shift) & 63
  }
  return registers
}

function readSparse(value: string): Uint8Array | undefined {
  const registers = new Uint8Array(REGISTERS)
  let register = 0
  for (let at = HEADER; at < value.length; at++) {
    const byte = value.charCodeAt(at)
    let run = (byte & 63) + 1
    let rank = 0
    if ((byte & 0xc0) === 0x40) run = (((byte & 63) << 8) | value.charCodeAt(++at)) + 1
    else if (byte & 0x80) {
      rank = ((byte >> 2) & 31) + 1
      run = (byte & 3) + 1
    }
    if (register + run > REGISTERS) return undefined
    registers.fill(rank, register, register + run)
    register += run
  }
  return register === REGISTERS ? registers : undefined
}

/** Always writes the dense form. */
export function writeRegisters(registers: Uint8Array): string {
  const bytes = new Uint8Array(DENSE_BYTES)
  bytes.set(toBytes('HYLL'))
  bytes[15] = 0x80
  for (let i = 0; i < REGISTERS; i++) {
    const at = HEADER + Math.floor((i * 6) / 8)
    const wide = (registers[i] as number) << ((i * 6) & 7)
    bytes[at] = (bytes[at] as number) | (wide & 255)
    if (wide > 255) bytes[at + 1] = (bytes[at + 1] as number) | (wide >> 8)
  }
  return fromBytes(bytes)
}

export const emptyRegisters = (): Uint8Array => new Uint8Array(REGISTERS)

/** Adds an element. Returns whether a register grew. */
export function addElement(registers: Uint8Array, element: string): boolean {
  const [register, rank] = placeOf(element)
  if ((registers[register] as number) >= rank) return false
  registers[register] = rank
  return true
}

export function mergeInto(registers: Uint8Array, other: Uint8Array): void {
  for (let i = 0; i < REGISTERS; i++) registers[i] = Math.max(registers[i] as number, other[i] as number)
}

function sigma(start: number): number {
  if (start === 1) return Number.POSITIVE_INFINITY
  let x = start
  let y = 1
  let z = x
  for (let before = Number.NaN; z !== before; ) {
    x *= x
    before = z
    z += x * y
    y += y
  }
  return z
}

function tau(start: number): number {
  if (start === 0 || start === 1) return 0
  let x = start
  let y = 1
  let z = 1 - x
  for (let before = Number.NaN; z !== before; ) {
    x = Math.sqrt(x)
    before = z
    y *= 0.5
    z -= (1 - x) ** 2 * y
  }
  return z / 3
}

/** Estimates how many different elements were added. */
export function estimate(registers: Uint8Array): number {
  const counts = new Array<number>(64).fill(0)
  for (const rank of registers) counts[rank] = (counts[rank] as number) + 1
  let z = REGISTERS * tau((REGISTERS - (counts[MAX_RANK + 1] as number)) / REGISTERS)
  for (let rank = MAX_RANK; rank >= 1; rank--) z = (z + (counts[rank] as number)) * 0.5
  z += REGISTERS * sigma((counts[0] as number) / REGISTERS)
  return Math.round((0.7213475204444817 * REGISTERS * REGISTERS) / z)
}
