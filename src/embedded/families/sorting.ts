import type { Client, Family } from '../contracts.ts'
import { int, parseFloat64 } from '../numbers.ts'
import { fail, type Reply } from '../reply.ts'
import { SortedSet } from '../sorted-set.ts'
import { Hash, List, MemberSet } from '../values.ts'
import { SYNTAX } from './strings.ts'

/** The value of a pattern such as `weight_*->field` for an element; undefined if there is none. */
function lookUp(client: Client, pattern: string, element: string): string | undefined {
  if (pattern === '#') return element
  const star = pattern.indexOf('*')
  if (star < 0) return undefined
  const arrow = pattern.indexOf('->', star + 1)
  const hasField = arrow >= 0 && arrow + 2 < pattern.length
  const key = pattern.slice(0, star) + element + pattern.slice(star + 1, hasField ? arrow : undefined)
  const value = client.find(key)
  if (hasField) return value instanceof Hash ? value.get(pattern.slice(arrow + 2)) : undefined
  return typeof value === 'string' ? value : undefined
}

interface SortOptions {
  by: string | undefined
  limit: readonly [number, number] | undefined
  gets: string[]
  backwards: boolean
  alpha: boolean
  store: string | undefined
}

function read(args: readonly string[], readOnly: boolean): SortOptions {
  const options: SortOptions = {
    by: undefined,
    limit: undefined,
    gets: [],
    backwards: false,
    alpha: false,
    store: undefined,
  }
  for (let i = 2; i < args.length; i++) {
    const word = (args[i] as string).toUpperCase()
    const more = args.length - 1 - i
    if (word === 'ASC') options.backwards = false
    else if (word === 'DESC') options.backwards = true
    else if (word === 'ALPHA') options.alpha = true
    else if (word === 'LIMIT' && more >= 2) {
      options.limit = [int(args[i + 1]), int(args[i + 2])]
      i += 2
    } else if (!readOnly && word === 'STORE' && more >= 1) options.store = args[++i] as string
    else if (word === 'BY' && more >= 1) options.by = args[++i] as string
    else if (word === 'GET' && more >= 1) options.gets.push(args[++i] as string)
    else fail(SYNTAX)
  }
  return options
}

/** BY and GET read any key that their elements name, so the user needs the right to read all keys. */
function checkPatterns({ user }: Client, { by, gets }: SortOptions): void {
  if (!user || user.keys.some((pattern) => pattern === '~*' || pattern === '%R~*')) return
  const denied = (word: string): never => fail(`ERR ${word} option of SORT denied due to insufficient ACL permissions.`)
  if (by?.includes('*')) denied('BY')
  if (gets.length > 0) denied('GET')
}

function elementsOf(
  client: Client,
  key: string,
): { readonly elements: string[]; readonly isOrdered: boolean; readonly isSet: boolean } {
  const value = client.find(key)
  if (value === undefined) return { elements: [], isOrdered: true, isSet: false }
  if (value instanceof List) return { elements: value.toArray(), isOrdered: true, isSet: false }
  if (value instanceof SortedSet)
    return { elements: value.slice(0, value.size).map(({ member }) => member), isOrdered: true, isSet: false }
  if (value instanceof MemberSet) return { elements: [...value.names], isOrdered: false, isSet: true }
  return fail('WRONGTYPE Operation against a key holding the wrong kind of value')
}

const compareBytes = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Parses a weight up to its first NUL. Decimal only, without leading blanks; empty text is 0. */
function scoreOf(weight = ''): number {
  const digits = weight.split('\0', 1)[0] as string
  if (digits === '') return 0
  return /^\s|x/i.test(digits) ? Number.NaN : (parseFloat64(digits) ?? Number.NaN)
}

function sortElements(client: Client, elements: readonly string[], options: SortOptions): string[] {
  const { by, alpha, backwards } = options
  const sign = backwards ? -1 : 1
  const weighted = elements.map((element) => {
    const weight = by === undefined ? element : lookUp(client, by, element)
    if (alpha) return { element, weight, score: 0 }
    const score = scoreOf(weight)
    if (Number.isNaN(score)) fail("ERR One or more scores can't be converted into double")
    return { element, weight, score }
  })
  weighted.sort((a, b) => {
    if (!alpha) return sign * (a.score - b.score || compareBytes(a.element, b.element))
    if (a.weight === undefined || b.weight === undefined) {
      if (a.weight === b.weight) return sign * compareBytes(a.element, b.element)
      return sign * (a.weight === undefined ? -1 : 1)
    }
    return sign * (compareBytes(a.weight, b.weight) || compareBytes(a.element, b.element))
  })
  return weighted.map(({ element }) => element)
}

function sort(client: Client, args: readonly string[], readOnly: boolean): Reply {
  const options = read(args, readOnly)
  checkPatterns(client, options)
  const { by, limit, gets, store, backwards, alpha } = options
  const { elements, isSet } = elementsOf(client, args[1] as string)
  const isUnsorted = by !== undefined && !by.includes('*')
  // The stored result of a set must be sorted, even if BY asks for no order.
  let sorted: string[]
  if (isUnsorted && !(isSet && (store !== undefined || client.isScript))) {
    sorted = backwards && !isSet ? elements.reverse() : elements
  } else
    sorted = sortElements(
      client,
      elements,
      isUnsorted ? { ...options, by: undefined, alpha: true } : { ...options, alpha },
    )
  const [offset, count] = limit ?? [0, -1]
  const first = Math.max(0, offset)
  const chosen = sorted.slice(first, count < 0 ? undefined : first + count)
  const found =
    gets.length === 0
      ? chosen
      : chosen.flatMap((element) => gets.map((pattern) => lookUp(client, pattern, element) ?? null))
  if (store === undefined) return found
  const existed = client.remove(store)
  if (found.length > 0) {
    const list = new List()
    list.replace(found.map((item) => item ?? ''))
    client.put(store, list)
    client.changed(store, 'l', 'sortstore')
  } else if (existed) client.changed(store, 'g', 'del')
  return found.length
}

export const sorting: Family = {
  sort: (client, args) => sort(client, args, false),
  sort_ro: (client, args) => sort(client, args, true),
}
