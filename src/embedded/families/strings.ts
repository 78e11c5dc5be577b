import type { Client, Family } from '../contracts.ts'
import { int, NOT_AN_INTEGER, parseInt64 } from '../numbers.ts'
import { fail, OK, type Reply } from '../reply.ts'

export const SYNTAX = 'ERR syntax error'
const MAX_STRING = 536_870_912
const TOO_LONG = 'ERR string exceeds maximum allowed size (proto-max-bulk-len)'

/** The end that EX, PX, EXAT or PXAT set, in epoch milliseconds. Throws error replies. */
function momentOf(client: Client, unit: string, text: string, name: string): number {
  const value = parseInt64(text) ?? fail(NOT_AN_INTEGER)
  const invalid = `ERR invalid expire time in '${name}' command`
  if (value <= 0) fail(invalid)
  const factor = /^E/i.test(unit) ? 1000n : 1n
  const ms = BigInt(value) * factor + (/AT$/i.test(unit) ? 0n : BigInt(client.now))
  return ms > 2n ** 63n - 1n ? fail(invalid) : Number(ms)
}

interface SetOptions {
  nx?: boolean
  xx?: boolean
  get?: boolean
  keep?: boolean
  persist?: boolean
  unit?: string
  amount?: string
}

/** The options of SET and GETEX. Throws SYNTAX. */
function readOptions(args: readonly string[], from: number, isGet: boolean): SetOptions {
  const options: SetOptions = {}
  for (let i = from; i < args.length; i++) {
    const word = (args[i] as string).toUpperCase()
    const free = (!options.unit || options.unit === word) && !options.keep && !options.persist
    if (!isGet && word === 'NX' && !options.xx) options.nx = true
    else if (!isGet && word === 'XX' && !options.nx) options.xx = true
    else if (!isGet && word === 'GET') options.get = true
    else if (!isGet && word === 'KEEPTTL' && !options.unit) options.keep = true
    else if (isGet && word === 'PERSIST' && !options.unit) options.persist = true
    else if (/^(EX|PX|EXAT|PXAT)$/.test(word) && free && i + 1 < args.length) {
      options.unit = word
      options.amount = args[++i] as string
    } else fail(SYNTAX)
  }
  return options
}

function writeString(client: Client, key: string, value: string, endMs: number | undefined): void {
  client.replace(key, value)
  if (endMs !== undefined) client.db.ends.set(key, endMs)
  client.changed(key, '$', 'set')
  if (endMs !== undefined) client.notify(key, 'g', 'expire')
}

function set(client: Client, args: readonly string[]): Reply {
  const [, key = '', value = ''] = args
  if (args.length === 3) {
    // Without options only the old key's end matters: `find` deletes a key whose end has passed.
    client.find(key)
    writeString(client, key, value, undefined)
    return OK
  }
  const { nx, xx, get, keep, unit, amount } = readOptions(args, 3, false)
  const endMs = unit ? momentOf(client, unit, amount as string, 'set') : undefined
  const old = get ? (client.string(key) ?? null) : undefined
  const exists = client.find(key) !== undefined
  if ((nx && exists) || (xx && !exists)) return get ? (old as Reply) : null
  if (endMs !== undefined && endMs <= client.now) {
    if (client.remove(key)) client.changed(key, 'g', 'del')
  } else if (keep) {
    client.put(key, value)
    client.changed(key, '$', 'set')
  } else writeString(client, key, value, endMs)
  return get ? (old as Reply) : OK
}

function setWithEnd(unit: string, name: string) {
  return (client: Client, [, key = '', amount = '', value = '']: readonly string[]): Reply => {
    const endMs = momentOf(client, unit, amount, name)
    client.find(key)
    writeString(client, key, value, endMs)
    return OK
  }
}

function getEx(client: Client, args: readonly string[]): Reply {
  const key = args[1] as string
  const { unit, amount, persist } = readOptions(args, 2, true)
  const value = client.string(key)
  if (value === undefined) return null
  const endMs = unit ? momentOf(client, unit, amount as string, 'getex') : undefined
  if (endMs !== undefined && endMs <= client.now) {
    client.remove(key)
    client.changed(key, 'g', 'del')
  } else if (endMs !== undefined) {
    client.db.ends.set(key, endMs)
    client.changed(key, 'g', 'expire')
  } else if (persist && client.db.ends.delete(key)) client.changed(key, 'g', 'persist')
  return value
}

/** The bytes of a range, with indexes as in GETRANGE. */
function range(value: string, from: number, to: number): string {
  const length = value.length
  if (from < 0 && to < 0 && from > to) return ''
  const start = Math.max(0, from < 0 ? length + from : from)
  const end = Math.min(length - 1, Math.max(0, to < 0 ? length + to : to))
  return start > end || length === 0 ? '' : value.slice(start, end + 1)
}

function getRange(client: Client, args: readonly string[]): Reply {
  const [from, to] = [int(args[2]), int(args[3])]
  return range(client.string(args[1] as string) ?? '', from, to)
}

function setRange(client: Client, args: readonly string[]): Reply {
  const [, key = '', , part = ''] = args
  const offset = int(args[2])
  if (offset < 0) fail('ERR offset is out of range')
  const old = client.string(key)
  if (part === '') return old?.length ?? 0
  if (offset + part.length > MAX_STRING) fail(TOO_LONG)
  const before = (old ?? '').slice(0, offset).padEnd(offset, '\0')
  const value = before + part + (old ?? '').slice(offset + part.length)
  client.put(key, value)
  client.changed(key, '$', 'setrange')
  return value.length
}

function append(client: Client, [, key = '', part = '']: readonly string[]): Reply {
  const old = client.string(key)
  if ((old?.length ?? 0) + part.length > MAX_STRING) fail(TOO_LONG)
  const value = (old ?? '') + part
  client.put(key, value)
  client.changed(key, '$', 'append')
  return value.length
}

function setMany(client: Client, args: readonly string[], onlyNew: boolean): Reply {
  if (args.length % 2 === 0) fail(`ERR wrong number of arguments for '${onlyNew ? 'msetnx' : 'mset'}' command`)
  if (onlyNew) {
    for (let i = 1; i < args.length; i += 2) if (client.find(args[i] as string) !== undefined) return 0
  }
  for (let i = 1; i < args.length; i += 2) {
    client.find(args[i] as string)
    client.replace(args[i] as string, args[i + 1] as string)
    client.changed(args[i] as string, '$', 'set')
  }
  return onlyNew ? 1 : OK
}

export const strings: Family = {
  set,
  get: (client, args) => client.string(args[1] as string) ?? null,
  setnx(client, [, key = '', value = '']) {
    if (client.find(key) !== undefined) return 0
    writeString(client, key, value, undefined)
    return 1
  },
  setex: setWithEnd('EX', 'setex'),
  psetex: setWithEnd('PX', 'psetex'),
  getset(client, [, key = '', value = '']) {
    const old = client.string(key) ?? null
    writeString(client, key, value, undefined)
    return old
  },
  getdel(client, [, key = '']) {
    const value = client.string(key)
    if (value === undefined) return null
    client.remove(key)
    client.changed(key, 'g', 'del')
    return value
  },
  getex: getEx,
  getrange: getRange,
  substr: getRange,
  setrange: setRange,
  append,
  strlen: (client, args) => client.string(args[1] as string)?.length ?? 0,
  mget: (client, args) =>
    args.slice(1).map((key) => {
      const value = client.find(key)
      return typeof value === 'string' ? value : null
    }),
  mset: (client, args) => setMany(client, args, false),
  msetnx: (client, args) => setMany(client, args, true),
}
