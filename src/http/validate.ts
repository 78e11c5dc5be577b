import { parseDate } from './dates.ts'

/** An entity tag without the mark of a weak one, for the weak comparison. */
const opaque = (tag: string): string => tag.trim().replace(/^W\//i, '')

/** Request headers that ask whether a stored response is current. They replace the client's own conditions. */
export function conditional(request: Headers, stored: Headers): Headers {
  const headers = new Headers(request)
  const etag = stored.get('etag')
  const lastModified = stored.get('last-modified')
  if (etag === null && lastModified === null) return headers
  for (const name of ['if-none-match', 'if-modified-since', 'range', 'if-range']) headers.delete(name)
  if (etag !== null) headers.set('if-none-match', etag)
  if (lastModified !== null) headers.set('if-modified-since', lastModified)
  return headers
}

/** Whether a request that validates this stored response has conditions of its client, since the response has no validator. */
export function hasOwnConditions(request: Headers, stored: Headers): boolean {
  const isPlain = !request.has('if-none-match') && !request.has('if-modified-since')
  return !isPlain && !stored.has('etag') && !stored.has('last-modified')
}

/** Whether a 304 confirms this stored response (RFC 9111, section 4.3.4). */
export function isConfirmed(stored: Headers, update: Headers): boolean {
  const [tag, known] = [update.get('etag'), stored.get('etag')]
  if (tag !== null) return known !== null && (tag.startsWith('W/') ? opaque(tag) === opaque(known) : tag === known)
  const lastModified = update.get('last-modified')
  // A 304 without a validator is about the only response that was asked for.
  return lastModified === null || known !== null || lastModified === stored.get('last-modified')
}

/** Whether the client already has the response that would be sent, so that it gets a 304 (RFC 9110, section 13.2.2). */
export function isNotModified(request: Headers, stored: Headers, nowMs: number): boolean {
  const tags = request.get('if-none-match')
  if (tags !== null) {
    const etag = stored.get('etag')
    return tags.trim() === '*' || (etag !== null && hasTag(tags, opaque(etag)))
  }
  const sinceMs = parseDate(request.get('if-modified-since'), nowMs)
  const changedMs = parseDate(stored.get('last-modified') ?? stored.get('date'), nowMs)
  return sinceMs !== undefined && changedMs !== undefined && changedMs <= sinceMs
}

/** Most tags of a list that are compared. */
const MAX_TAGS = 1000

/** Whether a list has a tag by the weak comparison. A comma inside quotes is part of a tag. */
function hasTag(text: string, tag: string): boolean {
  let count = 0
  for (const [one] of text.matchAll(/(?:[Ww]\/)?"[^"]*"|[^\s,"]+/g)) {
    if (opaque(one) === tag) return true
    if (++count === MAX_TAGS) return false
  }
  return false
}

/**
 * The fields of the stored response that a 304 sends (RFC 9110, section 15.4.5), and those that let a page of another origin
 * read it.
 */
const IN_304: ReadonlySet<string> = new Set([
  'cache-control',
  'content-location',
  'date',
  'etag',
  'expires',
  'vary',
  'last-modified',
  'cdn-cache-control',
  'hither-cache-control',
  'cache-tag',
  'cache-groups',
  'no-vary-search',
  'age',
  'cache-status',
])

/** Removes the fields that a 304 does not send. */
export function trimTo304(headers: Headers): void {
  for (const name of [...headers.keys()])
    if (!IN_304.has(name) && !/-cache-tag$|^access-control-/.test(name)) headers.delete(name)
}

/**
 * Whether the response to a HEAD agrees with the stored one, so that it may update it (RFC 9111, section 4.3.5). Undefined if it
 * has no validator: it may then be about a newer response.
 */
export function agreesWithHead(stored: Headers, head: Headers, storedLength: number): boolean | undefined {
  const validators = ['etag', 'last-modified'].filter((name) => head.has(name))
  const isSame = validators.every((name) => head.get(name) === stored.get(name))
  if (!isSame || (head.get('content-length') ?? `${storedLength}`) !== `${storedLength}`) return false
  return validators.length > 0 || undefined
}

/** Whether a request has conditions that only the origin can judge. */
export function needsOrigin(request: Headers): boolean {
  return request.has('if-match') || request.has('if-unmodified-since') || request.has('expect')
}
