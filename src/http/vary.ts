import { varyNames } from './freshness.ts'

/** A request field that selected a response, and its value; null if the request did not have it. */
export type Selector = readonly [name: string, value: string | null]

/** Longest value that is normalized. */
const LONGEST = 4096
/** Fields whose values are compared without regard to case. */
const ANY_CASE: ReadonlySet<string> = new Set(['accept', 'accept-charset', 'accept-encoding', 'accept-language'])

/**
 * Fields by which some handlers respond for another URL or method than the key has, without naming them in Vary. A response to a
 * request with such a field is served only to requests with the same field, so that nobody can poison the cache for others.
 */
const OVERRIDE =
  /^(x-(forwarded-(?!for$).+|original-(?!forwarded).+|(http-)?method(-override)?|(http-host-|backend-)?(host|override)|rewrite-url|url-scheme)|front-end-https)$/

/**
 * The fields of a request that select a response with these headers; undefined if none may select it, since its Vary has `*`.
 * `anyOrder`: the order of languages and of codings is ignored, as their definitions allow.
 */
export function selectorsOf(request: Headers, response: Headers, anyOrder: boolean): readonly Selector[] | undefined {
  const names = varyNames(response)
  const unnamed = [...request.keys()].filter((name) => OVERRIDE.test(name))
  // Some origins compress without naming Accept-Encoding in Vary. Other clients could not read the body.
  if (response.has('content-encoding')) unnamed.push('accept-encoding')
  const more = unnamed.filter((name) => !names?.includes(name))
  return names && [...names, ...more].map((name) => [name, normalized(name, request.get(name), anyOrder)])
}

/** Whether a request selects the response that was stored with these selectors (RFC 9111, section 4.1). */
function isSelected(selectors: readonly Selector[], request: Headers, anyOrder: boolean): boolean {
  return selectors.every(([name, value]) => normalized(name, request.get(name), anyOrder) === value)
}

/** A field value without optional whitespace; if the field's definition allows it, in lower case and sorted. */
function normalized(name: string, value: string | null, anyOrder: boolean): string | null {
  // A long value is compared as it is. At worst its own request misses a stored response.
  if (value === null || value.length > LONGEST) return value
  const text = trimParts(value, ',')
  if (!ANY_CASE.has(name)) return text
  const lower = trimParts(text, ';').toLowerCase()
  return anyOrder ? lower.split(',').sort().join(',') : lower
}

/** The text without whitespace around the separators and at the ends. */
function trimParts(text: string, separator: string): string {
  return text
    .split(separator)
    .map((part) => part.trim())
    .join(separator)
}

export interface Selectable {
  readonly selectors: readonly Selector[]
  readonly dateMs: number
}

/** Whether a request selects this response rather than the `best` so far: the newest by Date; of equal dates, the first given. */
export function isNewer(one: Selectable, best: Selectable | undefined, request: Headers, anyOrder: boolean): boolean {
  return !(best && one.dateMs <= best.dateMs) && isSelected(one.selectors, request, anyOrder)
}
