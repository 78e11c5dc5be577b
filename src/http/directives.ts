import { parseDictionary } from './structured.ts'

/** Directives by name in lower case. `true`: without an argument. Of a directive that is given twice, the stricter value. */
export type Directives = ReadonlyMap<string, string | true>

/** The directives that decide how a response may be cached. */
export interface Control {
  readonly directives: Directives
  /** They are from a targeted field (RFC 9213): Cache-Control and Expires are ignored. */
  readonly targeted: boolean
}

/** The largest delta-seconds: larger numbers count as this. */
const MOST_SECONDS = 2 ** 31
/** A quoted string, up to the end of the text when it is not closed. Matches without backtracking, in linear time. */
const QUOTED = /"((?:[^"\\]+|\\.?)*)("?)/sy

/** A token, or nothing. */
const TOKEN = /^[\w!#$%&'*+.^`|~-]*$/
export const isToken = (text: string): boolean => TOKEN.test(text)
/** Most directives that are read of a field: bounds the cost of a field of 64 KB. */
const MOST_DIRECTIVES = 1024
/** Directives that only ever forbid something. */
const FORBIDDING = /(?<![\w-])(?:no-store|no-cache|private|must-revalidate|proxy-revalidate)(?![\w-])/gi

/**
 * Parses a Cache-Control field in one pass. Nothing inside a quoted string is a directive. A malformed directive keeps its name
 * and its raw argument, so that it does not count as absent. If any directive is malformed, every forbidding word in the text
 * counts: `private; max-age=60` is private. A field of more than 1024 members counts as `no-store`.
 */
export function parseDirectives(text: string | null): Directives {
  const directives = new Map<string, string | true>()
  if (!text) return directives
  let isMalformed = false
  let [at, comma, equals] = [0, -1, -1]
  for (let count = 1; at < text.length; count++) {
    if (count > MOST_DIRECTIVES) return directives.set('no-store', true)
    comma = next(text, ',', comma, at)
    equals = next(text, '=', equals, at)
    const name = text.slice(at, Math.min(comma, equals)).trim().toLowerCase()
    let value: string | true = true
    if (equals < comma) {
      QUOTED.lastIndex = equals + 1
      const quoted = text[equals + 1] === '"' ? QUOTED.exec(text) : null
      const from = quoted ? QUOTED.lastIndex : equals + 1
      comma = next(text, ',', comma, from)
      // Text between a quoted argument and the comma makes the argument invalid.
      const rest = text.slice(from, comma).trimEnd()
      value = quoted ? (rest && '"') + (quoted[1] as string).replace(/\\(.?)/gs, '$1') : rest
      isMalformed ||= quoted ? rest !== '' || !quoted[2] : !isToken(rest)
    }
    at = comma + 1
    if (!isToken(name)) isMalformed = true
    else if (name) directives.set(name, stricter(directives.get(name), value))
  }
  if (isMalformed) for (const [word] of text.matchAll(FORBIDDING)) directives.set(word.toLowerCase(), true)
  return directives
}

/** The first index of `char` at or after `from`, else the length of the text. `known`: the result of the previous call. */
function next(text: string, char: string, known: number, from: number): number {
  if (known >= from) return known
  const at = text.indexOf(char, from)
  return at < 0 ? text.length : at
}

/** Longest list of fields that a repeated directive is limited to. With a longer list it covers the whole response. */
const LONGEST_FIELDS = 4096

/** The stricter of two arguments: the fewer seconds, or the fields of both. No argument is strictest: it covers all fields. */
function stricter(before: string | true | undefined, value: string | true): string | true {
  if (before === undefined) return value
  if (before === true || value === true || before.length > LONGEST_FIELDS) return true
  const [a, b] = [seconds(before), seconds(value)]
  if (a === undefined && b === undefined) return `${before}, ${value}`
  return (b ?? 0) < (a ?? 0) ? value : before
}

/** A delta-seconds argument; undefined for any other text. */
export function seconds(value: string | true | undefined): number | undefined {
  return typeof value === 'string' && /^\d+$/.test(value) ? Math.min(Number(value), MOST_SECONDS) : undefined
}

/** The seconds of a directive. An invalid argument counts as 0. Undefined when the directive is absent. */
export function secondsOf(directives: Directives, name: string): number | undefined {
  const value = directives.get(name)
  return value === undefined ? undefined : (seconds(value) ?? 0)
}

/** The fields that a directive is limited to, in lower case; undefined when it is absent or covers the whole response. */
export function fieldsOf(directives: Directives, name: string): readonly string[] | undefined {
  const value = directives.get(name)
  return typeof value === 'string' && value ? listOf(value) : undefined
}

/** Whether a directive such as `private` or `no-cache` covers the whole response: its list of fields is absent or malformed. */
export function isUnqualified(directives: Directives, name: string): boolean {
  const value = directives.get(name)
  if (value === undefined || value === true) return value === true
  const names = listOf(value)
  return names.length === 0 || !names.every(isToken)
}

/** The members of a comma-separated list, in lower case, without duplicates and empty members. */
export function listOf(text: string | null | undefined): string[] {
  const members = new Set<string>()
  if (text) {
    const lower = text.toLowerCase()
    for (let from = 0; from < lower.length; from++) {
      const comma = next(lower, ',', -1, from)
      const name = comma > from && lower.slice(from, comma).trim()
      if (name) members.add(name)
      from = comma
    }
  }
  return [...members]
}

/** Targeted fields that this cache obeys. The first with a valid value decides (RFC 9213, section 2.2). */
const TARGETS: readonly string[] = ['hither-cache-control', 'cdn-cache-control']

/** The directives of a response: of the first targeted field that is valid and not empty, else of Cache-Control. */
export function controlOf(headers: Headers): Control {
  for (const target of TARGETS) {
    const members = parseDictionary(headers.get(target))
    if (!members) continue
    const directives = new Map<string, string | true>()
    for (const [name, value] of members) {
      // Values are not coerced. A lifetime of another type is invalid and ignored; a forbidding directive still forbids.
      if (value === true) directives.set(name, true)
      else if (typeof value === 'number') directives.set(name, `${value}`)
      else if (value !== false && /^(no-|private|must)/.test(name))
        directives.set(name, typeof value === 'string' ? value : true)
    }
    return { directives, targeted: true }
  }
  return { directives: parseDirectives(headers.get('cache-control')), targeted: false }
}
