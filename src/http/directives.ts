import { parseDictionary } from './structured.ts'

/** Directives by name in lower case. `true`: without an argument. Of one that is given twice, the stricter value. */
export type Directives = ReadonlyMap<string, string | true>

/** What decides how a response may be cached. */
export interface Control {
  readonly directives: Directives
  /** A targeted field (RFC 9213) decides: Cache-Control and Expires count for nothing. */
  readonly targeted: boolean
}

/** The largest delta-seconds: more counts as this. */
const MOST_SECONDS = 2 ** 31
const [EQUALS, COMMA, QUOTE] = [0x3d, 0x2c, 0x22]
const isSpace = (code: number): boolean => code === 0x20 || code === 0x09

/** A token, or nothing. */
const TOKEN = /^[\w!#$%&'*+.^`|~-]*$/
/** Most directives of a field that are read, so that one of 64 KB costs no more than a short one. */
const MOST_DIRECTIVES = 1024
/** Directives that only ever forbid something. */
const FORBIDDING = /(?<![\w-])(?:no-store|no-cache|private|must-revalidate|proxy-revalidate)(?![\w-])/gi

/**
 * The list of a Cache-Control field, in one pass. Nothing inside a quoted string is a directive. A directive that is
 * malformed keeps its name with the argument as it is, so that it does not count as absent. Where one is, all that the text may
 * have been meant to forbid is forbidden: `private; max-age=60` is private. What has more than 1024 members is not stored.
 */
export function parseDirectives(text: string | null): Directives {
  const directives = new Map<string, string | true>()
  if (!text) return directives
  let at = 0
  let isMalformed = false
  for (let count = 1; at < text.length; count++) {
    if (count > MOST_DIRECTIVES) return directives.set('no-store', true)
    const start = at
    for (let code = 0; at < text.length; at++) {
      code = text.charCodeAt(at)
      if (code === EQUALS || code === COMMA) break
    }
    const name = trimmed(text, start, at).toLowerCase()
    let value: string | true = true
    if (text.charCodeAt(at) === EQUALS) {
      const from = ++at
      if (text.charCodeAt(at) === QUOTE) [value, at] = quoted(text, at)
      // What stands between the argument and the comma makes it invalid.
      const rest = at
      while (at < text.length && text.charCodeAt(at) !== COMMA) at++
      if (value === true) {
        value = text.slice(from, at).trimEnd()
        isMalformed ||= !TOKEN.test(value)
      } else if (trimmed(text, rest, at)) {
        value = `"${value}`
        isMalformed = true
      }
    }
    at++
    if (!TOKEN.test(name)) isMalformed = true
    else if (name) directives.set(name, stricter(directives.get(name), value))
  }
  if (isMalformed) for (const [word] of text.matchAll(FORBIDDING)) directives.set(word.toLowerCase(), true)
  return directives
}

function trimmed(text: string, from: number, to: number): string {
  while (from < to && isSpace(text.charCodeAt(from))) from++
  while (to > from && isSpace(text.charCodeAt(to - 1))) to--
  return text.slice(from, to)
}

/** The string in quotes that begins at `at`, and where it ends: at the end of the text when it is not closed. */
function quoted(text: string, at: number): [value: string, end: number] {
  const parts: string[] = []
  let from = ++at
  for (; at < text.length && text[at] !== '"'; at++) {
    if (text[at] !== '\\') continue
    parts.push(text.slice(from, at))
    from = ++at
  }
  parts.push(text.slice(from, at))
  return [parts.join(''), at + 1]
}

/** Longest list of fields that a directive is limited to; one that is longer covers the whole response. */
const LONGEST_FIELDS = 4096

/** Fewer seconds; the fields of both; no argument, which covers all fields. */
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

/** The seconds of a directive that is there: an invalid argument counts as 0. Undefined when it is absent. */
export function secondsOf(directives: Directives, name: string): number | undefined {
  const value = directives.get(name)
  return value === undefined ? undefined : (seconds(value) ?? 0)
}

/** The fields that a directive is limited to, in lower case; undefined when it is absent or covers the whole response. */
export function fieldsOf(directives: Directives, name: string): readonly string[] | undefined {
  const value = directives.get(name)
  return typeof value === 'string' && value ? listOf(value) : undefined
}

/** Whether a directive such as `private` or `no-cache` covers the whole response: it has no list of fields, or a malformed one. */
export function isUnqualified(directives: Directives, name: string): boolean {
  const value = directives.get(name)
  if (value === undefined || value === true) return value === true
  const names = listOf(value)
  return names.length === 0 || !names.every((name) => TOKEN.test(name))
}

/** The members of a comma-separated list, in lower case, each once and none of them empty. */
export function listOf(text: string | null | undefined): string[] {
  const members = new Set<string>()
  if (text) {
    const lower = text.toLowerCase()
    for (let from = 0; from <= lower.length; ) {
      const comma = lower.indexOf(',', from)
      const to = comma < 0 ? lower.length : comma
      const name = to > from ? trimmed(lower, from, to) : ''
      if (name) members.add(name)
      from = to + 1
    }
  }
  return [...members]
}

/** Targeted fields this cache obeys, the first with a valid value decides (RFC 9213, section 2.2). */
const TARGETS: readonly string[] = ['hither-cache-control', 'cdn-cache-control']

/** What decides for a response: the first targeted field that is valid and not empty, else Cache-Control. */
export function controlOf(headers: Headers): Control {
  for (const target of TARGETS) {
    const members = parseDictionary(headers.get(target))
    if (!members) continue
    const directives = new Map<string, string | true>()
    for (const [name, value] of members) {
      // A value of another type is not coerced: such a lifetime is invalid, and so no lifetime.
      if (value === true) directives.set(name, true)
      else if (typeof value === 'number') directives.set(name, `${value}`)
      else if (value !== false && /^(no-|private|must)/.test(name))
        directives.set(name, typeof value === 'string' ? value : true)
    }
    return { directives, targeted: true }
  }
  return { directives: parseDirectives(headers.get('cache-control')), targeted: false }
}
