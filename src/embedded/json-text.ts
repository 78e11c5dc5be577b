import { fail } from './reply.ts'
import type { JsonData } from './values.ts'

/** A double whose value is whole, such as 1.0 or 1e3, so that it stays a double. Integers are exact to 64 bits instead. */
export class Fraction {
  readonly value: number
  constructor(value: number) {
    this.value = value
  }
}

/** A double, which stays one even if its value is whole. Calls `bad` for a number that JSON cannot write. */
export function realNumber(value: number, bad: () => never): JsonData {
  if (!Number.isFinite(value)) bad()
  return Number.isInteger(value) ? (new Fraction(value) as unknown as JsonData) : value
}

const LARGEST = 2n ** 64n
const SMALLEST = -(2n ** 63n)
const BAD = 'ERR expected value at line 1 column 1'
const number = /-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y
const MAX_DEPTH = 128

/** Reads JSON. Bytes beyond ASCII stay as they are. Throws an error reply. */
export function loadJson(text: string): JsonData {
  let at = 0
  const bad = (): never => fail(BAD)
  const blank = (): void => {
    while (at < text.length && ' \t\n\r'.includes(text[at] as string)) at++
  }
  const string = (): string => {
    const start = at++
    while (at < text.length && text[at] !== '"') {
      if (text.charCodeAt(at) < 32) bad()
      at += text[at] === '\\' ? 2 : 1
    }
    if (at >= text.length) bad()
    at++
    const raw = text.slice(start + 1, at - 1)
    return raw.includes('\\') ? resolveEscapes(raw, bad) : raw
  }
  const value = (depth: number): JsonData => {
    if (depth > MAX_DEPTH) fail('ERR recursion limit exceeded')
    blank()
    const char = text[at]
    if (char === '"') return string()
    if (char === '{') {
      at++
      const map = new Map<string, JsonData>()
      for (blank(); text[at] !== '}'; blank()) {
        if (map.size > 0 || text[at] === ',') {
          if (text[at++] !== ',' || map.size === 0) bad()
          blank()
        }
        if (text[at] !== '"') bad()
        const name = string()
        blank()
        if (text[at++] !== ':') bad()
        map.set(name, value(depth + 1))
      }
      at++
      return map
    }
    if (char === '[') {
      at++
      const list: JsonData[] = []
      for (blank(); text[at] !== ']'; blank()) {
        if (list.length > 0 && text[at++] !== ',') bad()
        list.push(value(depth + 1))
      }
      at++
      return list
    }
    for (const [word, meaning] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const) {
      if (text.startsWith(word, at)) {
        at += word.length
        return meaning
      }
    }
    number.lastIndex = at
    const found = number.exec(text) ?? bad()
    at += found[0].length
    if (found[2] === undefined && found[3] === undefined) {
      const small = Number(found[0])
      if (Number.isSafeInteger(small) && found[0] !== '-0') return small
      const whole = found[0] === '-0' ? LARGEST : BigInt(found[0])
      if (whole < LARGEST && whole >= SMALLEST) return whole
    }
    return realNumber(Number(found[0]), bad)
  }
  const root = value(0)
  blank()
  return at === text.length ? root : bad()
}

const SIMPLE: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}

function resolveEscapes(raw: string, bad: () => never): string {
  return raw.replace(
    /\\u([0-9a-fA-F]{4})(?:\\u([dD][c-fC-F][0-9a-fA-F]{2}))?|\\(.)/gs,
    (_, first?: string, second?: string, simple?: string) => {
      if (simple !== undefined) return SIMPLE[simple] ?? bad()
      const units = [first, second].filter((unit) => unit !== undefined).map((unit) => Number.parseInt(unit, 16))
      const bytes = new TextEncoder().encode(String.fromCharCode(...units))
      return String.fromCharCode(...bytes)
    },
  )
}

export interface Layout {
  readonly indent: string
  readonly newline: string
  readonly space: string
}
const TIGHT: Layout = { indent: '', newline: '', space: '' }

const quote = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: JSON escapes them
  `"${text.replace(/["\\\x00-\x1f\x7f]/g, (char) => {
    const simple = Object.keys(SIMPLE).find((name) => SIMPLE[name] === char && name !== '/')
    return char === '\x7f' ? char : simple ? `\\${simple}` : `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
  })}"`

/** Writes a double as RedisJSON does: always with a point or an exponent. */
function dumpReal(value: number): string {
  const [mantissa = '', power = '0'] = Math.abs(value).toExponential().split('e')
  const exponent = Number(power)
  const sign = value < 0 || Object.is(value, -0) ? '-' : ''
  if (exponent < -5 || exponent > 15) return `${sign}${mantissa}e${exponent}`
  const digits = mantissa.replace('.', '')
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0')
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`
}

/** Writes JSON in RedisJSON's layout. */
export function dumpJson(data: JsonData, layout: Layout = TIGHT, level = 0): string {
  if (data instanceof Fraction) return dumpReal(data.value)
  if (typeof data === 'number') return Number.isInteger(data) ? `${data}` : dumpReal(data)
  if (data === null || typeof data === 'boolean' || typeof data === 'bigint') return `${data}`
  if (typeof data === 'string') return quote(data)
  const { indent, newline, space } = layout
  const inner = `${newline}${indent.repeat(level + 1)}`
  const end = `${newline}${indent.repeat(level)}`
  if (Array.isArray(data)) {
    if (data.length === 0) return '[]'
    return `[${inner}${data.map((item) => dumpJson(item, layout, level + 1)).join(`,${inner}`)}${end}]`
  }
  const entries = [...(data as Map<string, JsonData>)]
  if (entries.length === 0) return '{}'
  const pairs = entries.map(([name, item]) => `${quote(name)}:${space}${dumpJson(item, layout, level + 1)}`)
  return `{${inner}${pairs.join(`,${inner}`)}${end}}`
}
