import { varyNames } from './freshness.ts'

/** A request field that selected a response, and what it was; null: it was not there. */
export type Selector = readonly [name: string, value: string | null]

/** Longest value that is normalized. */
const LONGEST = 4096
/** Fields whose values mean the same in any case. */
const ANY_CASE: ReadonlySet<string> = new Set(['accept', 'accept-charset', 'accept-encoding', 'accept-language'])

/**
 * Fields by which some handlers answer for another URL or method than the key has, and no Vary says so. What is made for a
 * request with one of them answers only requests with the same, so that nobody can have it given to others.
 */
const OVERRIDE =
  /^(x-(forwarded-(?!for$).+|original-(?!forwarded).+|(http-)?method(-override)?|(http-host-|backend-)?(host|override)|rewrite-url|url-scheme)|front-end-https)$/

/**
 * What selects a response with these headers by a request; undefined: nothing may, since Vary has `*`. `anyOrder`: the order
 * of languages and of codings counts for nothing, as their definition says.
 */
export function selectorsOf(request: Headers, response: Headers, anyOrder: boolean): readonly Selector[] | undefined {
  const names = varyNames(response)
  const overrides = [...request.keys()].filter((name) => OVERRIDE.test(name) && !names?.includes(name))
  return names && [...names, ...overrides].map((name) => [name, normalized(name, request.get(name), anyOrder)])
}

/** Whether a request selects what was stored with these (RFC 9111, section 4.1). */
function isSelected(selectors: readonly Selector[], request: Headers, anyOrder: boolean): boolean {
  return selectors.every(([name, value]) => normalized(name, request.get(name), anyOrder) === value)
}

/** A field's lines joined, without optional whitespace; where its definition allows it, in lower case and sorted. */
function normalized(name: string, value: string | null, anyOrder: boolean): string | null {
  // A long one is compared as it is: it is a request's own doing.
  if (value === null || value.length > LONGEST) return value
  const text = trimParts(value, ',')
  if (!ANY_CASE.has(name)) return text
  const lower = trimParts(text, ';').toLowerCase()
  return anyOrder ? lower.split(',').sort().join(',') : lower
}

/** Without whitespace around the separators, and at the ends. */
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

/** Whether a request selects this one and not the `best` so far: the newest by Date, or by arrival where those are equal. */
export function isNewer(one: Selectable, best: Selectable | undefined, request: Headers, anyOrder: boolean): boolean {
  return !(best && one.dateMs <= best.dateMs) && isSelected(one.selectors, request, anyOrder)
}
