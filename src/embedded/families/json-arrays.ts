import type { Client, Family } from '../contracts.ts'
import { askEach, changeEach, checkRoom, documentAt, writeJson } from '../json-document.ts'
import { equalJson } from '../json-order.ts'
import { findPlaces, parsePath, valueAt } from '../json-path.ts'
import { loadJson } from '../json-text.ts'
import { copyJson } from '../kinds.ts'
import { int } from '../numbers.ts'
import { fail, type Reply } from '../reply.ts'
import { type JsonData, sizeOfJson } from '../values.ts'

const otherwise = 'not an array'

interface Insertion {
  readonly key: string
  readonly path: string
  readonly items: JsonData[]
  readonly index: number | undefined
}

function placeIn({ length }: JsonData[], index: number | undefined): number {
  const at = index === undefined ? length : index < 0 ? length + index : index
  return at < 0 || at > length ? fail('ERR index out of bounds') : at
}

/** Throws an error reply, before anything is written, if an array that the path finds cannot take the items. */
function checkItems(client: Client, { key, path, items, index }: Insertion): void {
  const { root } = documentAt(client, key)
  const places = findPlaces(root, parsePath(path).steps)
  checkRoom(places, items)
  for (const place of places) {
    const value = valueAt(root, place)
    if (Array.isArray(value)) placeIn(value, index)
  }
}

function insertEach(client: Client, event: string, insertion: Insertion): Reply {
  const { key, path, items, index } = insertion
  checkItems(client, insertion)
  const size = items.reduce<number>((sum, item) => sum + sizeOfJson(item), 0)
  return changeEach(client, event, {
    key,
    path,
    otherwise,
    reply(value, doc) {
      if (!Array.isArray(value)) return undefined
      const rest = value.splice(placeIn(value, index))
      for (const item of items) value.push(copyJson(item))
      for (const item of rest) value.push(item)
      doc.bytes += size
      return value.length
    },
  })
}

function indexOf(client: Client, args: readonly string[]): Reply {
  const [, key = '', path = '', text = '', start = '0', stop = '0'] = args
  if (args.length > 6) fail("ERR wrong number of arguments for 'json.arrindex' command")
  const wanted = loadJson(text)
  const [from, to] = [int(start), int(stop)]
  return askEach(client, {
    key,
    path,
    otherwise,
    reply(value) {
      if (!Array.isArray(value)) return undefined
      const { length } = value
      const clamp = (at: number): number => Math.min(length, Math.max(0, at < 0 ? length + at : at))
      // A stop of 0 or −1 is the end of the array, included. Any other stop is excluded.
      const end = to === 0 || to === -1 ? length : clamp(to)
      for (let at = clamp(from); at < end; at++) if (equalJson(value[at] as JsonData, wanted)) return at
      return -1
    },
  })
}

function pop(client: Client, [, key = '', path = '.', index = '-1']: readonly string[]): Reply {
  const wanted = int(index)
  return changeEach(client, 'json.arrpop', {
    key,
    path,
    otherwise,
    reply(value, doc) {
      if (!Array.isArray(value)) return undefined
      if (value.length === 0) return null
      const at = wanted < 0 ? Math.max(0, value.length + wanted) : Math.min(wanted, value.length - 1)
      const [item = null] = value.splice(at, 1)
      doc.bytes -= sizeOfJson(item)
      return writeJson(item)
    },
  })
}

function trim(client: Client, [, key = '', path = '', start, stop]: readonly string[]): Reply {
  const [from, to] = [int(start), int(stop)]
  return changeEach(client, 'json.arrtrim', {
    key,
    path,
    otherwise,
    reply(value, doc) {
      if (!Array.isArray(value)) return undefined
      const { length } = value
      const first = from < 0 ? Math.max(0, length + from) : from
      const last = to < 0 ? length + to : Math.min(to, length - 1)
      const before = sizeOfJson(value)
      value.splice(Math.max(first, last + 1, 0))
      value.splice(0, Math.min(first, value.length))
      doc.bytes += sizeOfJson(value) - before
      return value.length
    },
  })
}

export const jsonArrays: Family = {
  'json.arrappend': (client, args) =>
    insertEach(client, 'json.arrappend', {
      key: args[1] as string,
      path: args[2] as string,
      items: args.slice(3).map(loadJson),
      index: undefined,
    }),
  'json.arrinsert': (client, args) =>
    insertEach(client, 'json.arrinsert', {
      key: args[1] as string,
      path: args[2] as string,
      index: int(args[3]),
      items: args.slice(4).map(loadJson),
    }),
  'json.arrindex': indexOf,
  'json.arrlen': (client, [, key = '', path = '.']) =>
    askEach(client, { key, path, otherwise, reply: (value) => (Array.isArray(value) ? value.length : undefined) }),
  'json.arrpop': pop,
  'json.arrtrim': trim,
}
