import { compareJson, equalJson } from './json-order.ts'
import { loadJson } from './json-text.ts'
import { fail } from './reply.ts'
import type { JsonData } from './values.ts'

/** The names and indexes that lead from the root of a document to one of its values. */
export type Place = readonly (string | number)[]
/** Returns the keys of those children of a value that a step selects. */
type Pick = (value: JsonData, root: JsonData) => readonly (string | number)[]
interface Step {
  /** Whether the step also applies at any depth below. */
  readonly deep: boolean
  readonly pick: Pick
  /** The only name or index that the step can select; undefined if it can select others. */
  readonly only: string | number | undefined
}
export interface JsonPath {
  /** Whether the path has the legacy syntax, without `$`. Commands then reply for one value only. */
  readonly isLegacy: boolean
  readonly given: string
  /** The path with `$`, as errors quote it. */
  readonly text: string
  readonly steps: readonly Step[]
}

const MAX_PLACES = 1_000_000
const MAX_DEPTH = 64
const bare = /[^.[\]\s()*'",?=<>&|!]+/y
const integer = /-?\d{1,15}/y
const comparison = /==|!=|<=|>=|<|>/y
const literal = /true|false|null|-?\d+(\.\d+)?([eE][+-]?\d+)?/y
const blanks = /\s*/y

export function childOf(value: JsonData, key: string | number): JsonData | undefined {
  if (Array.isArray(value)) return typeof key === 'number' ? value[key] : undefined
  return value instanceof Map && typeof key === 'string' ? value.get(key) : undefined
}
const childKeys = (value: JsonData): readonly (string | number)[] => {
  if (Array.isArray(value)) return value.map((_, i) => i)
  return value instanceof Map ? [...value.keys()] : []
}

const pickNames =
  (names: readonly string[]): Pick =>
  (value) =>
    value instanceof Map ? names.filter((name) => value.has(name)) : []
const pickIndexes =
  (indexes: readonly number[]): Pick =>
  (value) =>
    Array.isArray(value)
      ? indexes.map((at) => (at < 0 ? value.length + at : at)).filter((at) => at >= 0 && at < value.length)
      : []
const pickSlice =
  (from: number | undefined, to: number | undefined, step: number): Pick =>
  (value) => {
    if (!Array.isArray(value)) return []
    const { length } = value
    const clamp = (at: number): number => Math.min(length, Math.max(0, at < 0 ? length + at : at))
    const keys: number[] = []
    for (let at = clamp(from ?? 0), end = clamp(to ?? length); at < end; at += step) keys.push(at)
    return keys
  }

/**
 * A recursive-descent parser of one path. Each method reads what comes next, and returns it or throws an error reply.
 * `steps` reads `.name`, `..name` and `[…]`. `#bracket` reads `*`, quoted names, indexes, a slice, or a filter `?…`.
 * A filter nests `#either` (`||`), `#both` (`&&`), `#one` (`!`, parentheses or a comparison) and `#operand` (`@`, `$` or a
 * constant), up to `MAX_DEPTH` levels. `findPlaces` then applies the steps to a document.
 */
class Reader {
  readonly #text: string
  #at = 0
  #depth = 0
  constructor(text: string) {
    this.#text = text
  }
  get isDone(): boolean {
    return this.#at >= this.#text.length
  }
  bad(): never {
    return fail(`ERR JSON Path error: cannot be read at position ${this.#at}`)
  }
  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    if (found) this.#at += found.length
    return found || undefined
  }
  #take(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false
    this.#at += word.length
    return true
  }
  #blank(): void {
    this.#match(blanks)
  }
  #need(word: string): void {
    this.#blank()
    if (!this.#take(word)) this.bad()
  }

  /** Reads steps up to the end of the path, or of the operand of a filter. */
  steps(): Step[] {
    const steps: Step[] = []
    for (;;) {
      const deep = this.#take('..')
      if (this.#take('[')) steps.push(this.#bracket(deep))
      else if (deep || this.#take('.')) steps.push(this.#named(deep))
      else return steps
    }
  }
  #named(deep: boolean): Step {
    if (this.#take('*')) return { deep, pick: childKeys, only: undefined }
    const name = this.#match(bare) ?? this.bad()
    return { deep, pick: pickNames([name]), only: deep ? undefined : name }
  }
  #quoted(): string | undefined {
    const quote = this.#text[this.#at]
    if (quote !== '"' && quote !== "'") return undefined
    let name = ''
    for (this.#at++; this.#text[this.#at] !== quote; this.#at++) {
      if (this.#text[this.#at] === '\\') this.#at++
      name += this.#text[this.#at] ?? this.bad()
    }
    this.#at++
    return name
  }
  #number(): number | undefined {
    this.#blank()
    const text = this.#match(integer)
    return text === undefined ? undefined : Number(text)
  }
  #bracket(deep: boolean): Step {
    this.#blank()
    if (this.#take('*')) return this.#close({ deep, pick: childKeys, only: undefined })
    if (this.#take('?')) return this.#close({ deep, pick: this.#filter(), only: undefined })
    const name = this.#quoted()
    if (name !== undefined) {
      const names = [name]
      for (this.#blank(); this.#take(','); this.#blank()) {
        this.#blank()
        names.push(this.#quoted() ?? this.bad())
      }
      return this.#close({ deep, pick: pickNames(names), only: deep || names.length > 1 ? undefined : name })
    }
    const first = this.#number()
    this.#blank()
    if (this.#take(':')) {
      const last = this.#number()
      this.#blank()
      const step = this.#take(':') ? (this.#number() ?? 1) : 1
      if (step < 1) this.bad()
      return this.#close({ deep, pick: pickSlice(first, last, step), only: undefined })
    }
    const indexes = [first ?? this.bad()]
    for (; this.#take(','); this.#blank()) indexes.push(this.#number() ?? this.bad())
    const only = deep || indexes.length > 1 ? undefined : indexes[0]
    return this.#close({ deep, pick: pickIndexes(indexes), only })
  }
  #close(step: Step): Step {
    this.#need(']')
    return step
  }

  #filter(): Pick {
    const test = this.#either()
    return (value, root) => childKeys(value).filter((key) => test(childOf(value, key) as JsonData, root))
  }
  #either(): Test {
    if (++this.#depth > MAX_DEPTH) this.bad()
    let test = this.#both()
    for (this.#blank(); this.#take('||'); this.#blank()) {
      const [left, right] = [test, this.#both()]
      test = (item, root) => left(item, root) || right(item, root)
    }
    this.#depth--
    return test
  }
  #both(): Test {
    let test = this.#one()
    for (this.#blank(); this.#take('&&'); this.#blank()) {
      const [left, right] = [test, this.#one()]
      test = (item, root) => left(item, root) && right(item, root)
    }
    return test
  }
  #one(): Test {
    this.#blank()
    if (this.#take('!')) {
      if (++this.#depth > MAX_DEPTH) this.bad()
      const test = this.#one()
      this.#depth--
      return (item, root) => !test(item, root)
    }
    if (this.#take('(')) {
      const test = this.#either()
      this.#need(')')
      return test
    }
    const left = this.#operand()
    this.#blank()
    const sign = this.#match(comparison)
    if (sign === undefined) return (item, root) => left(item, root) !== undefined
    const right = this.#operand()
    return (item, root) => holds(sign, left(item, root), right(item, root))
  }
  #operand(): Operand {
    this.#blank()
    const isItem = this.#take('@')
    if (isItem || this.#take('$')) {
      const steps = this.steps()
      return (item, root) => {
        const from = isItem ? item : root
        const place = findPlaces(from, steps, root)[0]
        return place && valueAt(from, place)
      }
    }
    const text = this.#quoted()
    if (text !== undefined) return () => text
    const constant = loadJson(this.#match(literal) ?? this.bad())
    return () => constant
  }
}
type Test = (item: JsonData, root: JsonData) => boolean
type Operand = (item: JsonData, root: JsonData) => JsonData | undefined

function holds(sign: string, left: JsonData | undefined, right: JsonData | undefined): boolean {
  if (sign === '==' || sign === '!=') {
    const equal = left !== undefined && right !== undefined && equalJson(left, right)
    return equal === (sign === '==')
  }
  const order = left === undefined || right === undefined ? undefined : compareJson(left, right)
  if (order === undefined) return false
  return (order === 0 && sign.endsWith('=')) || (sign[0] === '<' ? order < 0 : order > 0)
}

/** Parses a path of either syntax. Throws an error reply. */
export function parsePath(text: string): JsonPath {
  const isLegacy = !/^\$($|[.[])/.test(text)
  let full = text
  if (isLegacy) full = text === '.' ? '$' : `$${/^[.[]/.test(text) ? '' : '.'}${text}`
  const reader = new Reader(full.slice(1))
  const steps = reader.steps()
  return reader.isDone ? { isLegacy, given: text, text: full, steps } : reader.bad()
}

export function valueAt(root: JsonData, place: Place): JsonData | undefined {
  let value: JsonData | undefined = root
  for (const key of place) value = value === undefined ? undefined : childOf(value, key)
  return value
}

/** The places of the values that a path finds, in the document's order. Throws an error reply beyond a million. */
export function findPlaces(from: JsonData, steps: readonly Step[], root: JsonData = from): Place[] {
  let places: Place[] = [[]]
  for (const { deep, pick } of steps) {
    const next: Place[] = []
    const visit = (place: Place, value: JsonData): void => {
      for (const key of pick(value, root)) next.push([...place, key])
      if (next.length > MAX_PLACES) fail('ERR the path finds more values than a command may work on')
      if (deep) for (const key of childKeys(value)) visit([...place, key], childOf(value, key) as JsonData)
    }
    for (const place of places) visit(place, valueAt(from, place) as JsonData)
    places = next
  }
  return places
}
