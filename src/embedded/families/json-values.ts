import type { Client, Family, Run } from '../contracts.ts'
import { askEach, changeEach, putAt, writeJson } from '../json-document.ts'
import { isWhole, numberOf, typeOfJson } from '../json-order.ts'
import { findPlaces, parsePath, valueAt } from '../json-path.ts'
import { loadJson, realNumber } from '../json-text.ts'
import { add, parseInt64 } from '../numbers.ts'
import { Double, fail, type Reply, Simple } from '../reply.ts'
import type { Json, JsonData } from '../values.ts'

const notNumber = (): never => fail('ERR result is not a number')

/** Adds or multiplies. Integers stay integers within 64 bits; beyond that, and with a fraction, the result is a double. */
function combine(a: JsonData, b: JsonData, isProduct: boolean): JsonData {
  const [x, y] = [numberOf(a) as number | bigint, numberOf(b) as number | bigint]
  if (isWhole(a) && isWhole(b)) {
    const whole = isProduct ? parseInt64(`${BigInt(x) * BigInt(y)}`) : add(x, y)
    if (whole !== undefined) return whole
  }
  return realNumber(isProduct ? Number(x) * Number(y) : Number(x) + Number(y), notNumber)
}

function reckon(isProduct: boolean): Run {
  const event = isProduct ? 'json.nummultby' : 'json.numincrby'
  return (client, [, key = '', path = '', text = '']) => {
    const by = loadJson(text)
    if (numberOf(by) === undefined) fail('ERR expected a number')
    const results: (JsonData | undefined)[] = []
    const last = changeEach(client, event, {
      key,
      path,
      otherwise: 'does not contains a number',
      reply(value, doc, place) {
        const result = numberOf(value) === undefined ? undefined : combine(value, by, isProduct)
        results.push(result)
        if (result === undefined) return undefined
        putAt(doc, place, result)
        return writeJson(result)
      },
    })
    if (client.resp === 2) return Array.isArray(last) ? writeJson(results.map((one) => one ?? null)) : last
    const numbers = results.map((one) => (one === undefined ? null : numberReply(one)))
    return Array.isArray(last) ? numbers : numbers.filter((one) => one !== null).slice(-1)
  }
}
const numberReply = (value: JsonData): Reply => {
  const number = numberOf(value) as number | bigint
  return isWhole(value) ? number : new Double(Number(number))
}

function append(client: Client, args: readonly string[]): Reply {
  const [path, text] = args.length > 3 ? [args[2] as string, args[3] as string] : ['.', args[2] as string]
  const more = loadJson(text)
  if (typeof more !== 'string') return fail(`ERR wrong type of value - expected string but found ${typeOfJson(more)}`)
  return changeEach(client, 'json.strappend', {
    key: args[1] as string,
    path,
    otherwise: 'not a string',
    reply(value, doc, place) {
      if (typeof value !== 'string') return undefined
      if (value.length + more.length > 512 * 1024 * 1024) fail('ERR string exceeds maximum allowed size')
      putAt(doc, place, value + more)
      return value.length + more.length
    },
  })
}

function toggle(client: Client, [, key = '', path = '']: readonly string[]): Reply {
  const { isLegacy } = parsePath(path)
  return changeEach(client, 'json.toggle', {
    key,
    path,
    otherwise: 'not a bool',
    reply(value, doc, place) {
      if (typeof value !== 'boolean') return undefined
      putAt(doc, place, !value)
      return isLegacy ? `${!value}` : value ? 0 : 1
    },
  })
}

/** The value that CLEAR leaves; undefined if there is nothing to clear. */
function cleared(value: JsonData): JsonData | undefined {
  if (Array.isArray(value)) return value.length > 0 ? [] : undefined
  if (value instanceof Map) return value.size > 0 ? new Map() : undefined
  return numberOf(value) === undefined || Number(numberOf(value)) === 0 ? undefined : 0
}

function clear(client: Client, [, key = '', path = '.']: readonly string[]): Reply {
  const count = (value: JsonData, doc: Json, place: readonly (string | number)[]): Reply | undefined => {
    const empty = cleared(value)
    if (empty === undefined) return undefined
    putAt(doc, place, empty)
    return 1
  }
  // A legacy path counts all values, too, and may find none.
  const every = `${parsePath(path).text}`
  const replies = changeEach(client, 'json.clear', { key, path: every, otherwise: '', reply: count })
  return (replies as Reply[]).filter((one) => one === 1).length
}

const asResp = (data: JsonData): Reply => {
  if (Array.isArray(data)) return ['[', ...data.map(asResp)]
  if (data instanceof Map) return ['{', ...[...data].flatMap(([name, item]) => [name, asResp(item)])]
  if (typeof data === 'boolean') return new Simple(`${data}`)
  if (data === null || typeof data === 'string') return data
  return isWhole(data) ? (data as number | bigint) : writeJson(data)
}

/** Reads the values of a path. Null if the key does not exist, or a legacy path finds no value. */
function look(client: Client, [, key = '', text = '.']: readonly string[], read: (value: JsonData) => Reply): Reply {
  const path = parsePath(text)
  const doc = client.json(key)
  if (!doc) return null
  const replies = findPlaces(doc.root, path.steps).map((place) => read(valueAt(doc.root, place) as JsonData))
  return path.isLegacy ? (replies[0] ?? null) : replies
}

/** A command that reads values of one type. Its default path is the root. */
const ask =
  (otherwise: string, reply: (value: JsonData) => Reply | undefined): Run =>
  (client, [, key = '', path = '.']) =>
    askEach(client, { key, path, otherwise, reply })

export const jsonValues: Family = {
  'json.numincrby': reckon(false),
  'json.nummultby': reckon(true),
  'json.strappend': append,
  'json.strlen': ask('not a string', (value) => (typeof value === 'string' ? value.length : undefined)),
  'json.objkeys': ask('not an object', (value) => (value instanceof Map ? [...value.keys()] : undefined)),
  'json.objlen': ask('not an object', (value) => (value instanceof Map ? value.size : undefined)),
  'json.toggle': toggle,
  'json.clear': clear,
  'json.type'(client, args) {
    const type = look(client, args, typeOfJson)
    return client.resp === 3 && client.find(args[1] as string) !== undefined ? [type] : type
  },
  'json.resp': (client, args) => look(client, args, asResp),
}
