import { type Member, parseDictionary } from './structured.ts'

const isText = (item: Member | undefined): item is string => typeof item === 'string'

/**
 * The one query for all queries that a No-Vary-Search field makes equal: without the parameters that change nothing, and sorted
 * if their order changes nothing. Returns the query unchanged if the field is absent or malformed.
 */
export function canonicalQuery(search: string, field: string | null): string {
  const rule = search ? parseDictionary(field) : undefined
  if (!rule) return search
  const [params, except, keyOrder] = [rule.get('params'), rule.get('except'), rule.get('key-order')]
  if (keyOrder !== undefined && typeof keyOrder !== 'boolean') return search
  const lists = [params, except].filter((one) => Array.isArray(one)) as Member[][]
  if (!lists.flat().every(isText) || (params !== undefined && typeof params !== 'boolean' && !Array.isArray(params)))
    return search
  if (except !== undefined && (params !== true || !Array.isArray(except))) return search
  const left = new Set<Member>(Array.isArray(params) ? (params as Member[]) : [])
  const kept = new Set<Member>(Array.isArray(except) ? (except as Member[]) : [])
  const query = new URLSearchParams(search)
  const pairs = [...query].filter(([name]) => (params === true ? kept.has(name) : !left.has(name)))
  // The sort is stable: values of one name keep their order.
  if (keyOrder === true) pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  // Written anew from the parsed pairs, so that two spellings of one query become one.
  return pairs.length > 0 ? `?${new URLSearchParams(pairs)}` : ''
}
