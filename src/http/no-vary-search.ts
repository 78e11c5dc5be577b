import { type Member, parseDictionary } from './structured.ts'

const isText = (item: Member | undefined): item is string => typeof item === 'string'

/** The name of the parameters that a key stands for: keys are encoded as in a query, since a field has only ASCII. */
const nameOf = (key: string): string => new URLSearchParams(`=${key.replaceAll('&', '%26')}`).get('') as string

/**
 * The one query for all queries that a No-Vary-Search field makes equal: without the parameters that change nothing, and sorted
 * if their order changes nothing. Returns the query unchanged if the field is absent or malformed. The field may also have the
 * form of drafts before draft-ietf-httpbis-no-vary-search-04: `params`, and `params, except=("a")`.
 */
export function canonicalQuery(search: string, field: string | null): string {
  const rule = search ? parseDictionary(field) : undefined
  if (!rule) return search
  const [params, except, keyOrder] = [rule.get('params'), rule.get('except'), rule.get('key-order')]
  if (keyOrder !== undefined && typeof keyOrder !== 'boolean') return search
  if (except !== undefined && (params ?? true) !== true) return search
  const keys = except ?? (typeof (params ?? true) === 'boolean' ? [] : params)
  if (!Array.isArray(keys) || !keys.every(isText)) return search
  const isExcept = except !== undefined || params === true
  const names = new Set(keys.map(nameOf))
  const pairs = [...new URLSearchParams(search)].filter(([name]) => names.has(name) === isExcept)
  // The sort is stable: values of one name keep their order.
  if (keyOrder === true) pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  // Written anew from the parsed pairs, so that two spellings of one query become one.
  return pairs.length > 0 ? `?${new URLSearchParams(pairs)}` : ''
}
