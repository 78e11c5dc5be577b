import type { Client, Family, Run } from '../contracts.ts'
import { exactInt, int } from '../numbers.ts'
import { fail, quoting, type Reply } from '../reply.ts'
import type { Hash } from '../values.ts'
import { readConditions } from './expiry.ts'
import { dropField, hashToWrite } from './hashes.ts'

const NO_FIELDS = 'ERR Mandatory argument FIELDS is missing or not at the right position'
const WRONG_NUMBER = "ERR wrong number of arguments for 'hsetex' command"
const MAX_END = 2 ** 46 - 1
const MOST_FIELDS = 2 ** 31 - 1

/** Reads `FIELDS n a b …`, from `at` to the end. Throws error replies. */
function readFields(
  args: readonly string[],
  at: number,
  per = 1,
  message = 'ERR Number of fields must be a positive integer',
): string[] {
  if (args[at]?.toUpperCase() !== 'FIELDS') fail(NO_FIELDS)
  if (per === 2 && args.length - at < 4) fail(WRONG_NUMBER)
  const bad = per === 2 ? 'ERR invalid number of fields' : message
  const count = args[at + 1] === undefined ? 0 : int(args[at + 1], bad)
  if (count < 1 || (per === 2 && count > MOST_FIELDS)) fail(bad)
  if (count * per !== args.length - at - 2) {
    fail(per === 1 ? 'ERR The `numfields` parameter must match the number of arguments' : WRONG_NUMBER)
  }
  return args.slice(at + 2)
}

function expire(factor: number, fromNow: boolean): Run {
  return (client, args) => {
    const key = args[1] as string
    const name = (args[0] as string).toLowerCase()
    const hash = client.hash(key)
    const amount = exactInt(args[2])
    if (BigInt(amount) < 0n) fail('ERR invalid expire time, must be >= 0')
    const endMs = Number(amount) * factor + (fromNow ? client.now : 0)
    if (endMs > MAX_END) fail(`ERR invalid expire time in '${name}' command`)
    const hasCondition = /^([nx]x|[gl]t)$/i.test(args[3] ?? '')
    const when = readConditions(hasCondition ? args.slice(3, 4) : [])
    const fields = readFields(args, hasCondition ? 4 : 3, 1, 'ERR Parameter `numFields` should be greater than 0')
    if (!hash) return fields.map(() => -2)
    let changed = false
    let deleted = false
    const replies = fields.map((field): number => {
      if (!hash.has(field)) return -2
      const old = hash.ends?.get(field)
      if ((when.nx && old !== undefined) || (when.xx && old === undefined)) return 0
      if (when.gt && (old === undefined || endMs <= old)) return 0
      if (when.lt && old !== undefined && endMs >= old) return 0
      if (endMs <= client.now) {
        dropField(client, key, hash, field)
        deleted = true
        return 2
      }
      client.db.setFieldEnd(key, hash, field, endMs)
      changed = true
      return 1
    })
    if (changed) client.changed(key, 'h', 'hexpire')
    if (deleted) client.changed(key, 'h', 'hdel')
    client.removeIfEmpty(key, hash)
    return replies
  }
}

const left =
  (unitMs: number, fromNow: boolean): Run =>
  (client, args) => {
    const hash = client.hash(args[1] as string)
    const fields = readFields(args, 2)
    return fields.map((field) => {
      if (!hash?.has(field)) return -2
      const endMs = hash.ends?.get(field)
      if (endMs === undefined) return -1
      const ms = fromNow ? endMs - client.now : endMs
      return unitMs === 1 ? ms : Math.floor((ms + 999) / 1000)
    })
  }

/** The end that HGETEX and HSETEX set, with their other options, and the index of FIELDS. */
interface EndOptions {
  endMs: number | undefined
  persist: boolean
  keep: boolean
  fnx: boolean
  fxx: boolean
  at: number
}

function readEnd(client: Client, args: readonly string[], isSet: boolean): EndOptions {
  const options: EndOptions = { endMs: undefined, persist: false, keep: false, fnx: false, fxx: false, at: -1 }
  const name = isSet ? 'hsetex' : 'hgetex'
  let i = 2
  for (; i < args.length; i++) {
    const word = (args[i] as string).toUpperCase()
    const free = options.endMs === undefined && !options.persist && !options.keep
    if (word === 'FIELDS') break
    if (/^(EX|PX|EXAT|PXAT)$/.test(word) && i + 1 < args.length) {
      if (!free) fail(isSet ? 'ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified' : NO_FIELDS)
      const amount = Number(exactInt(args[++i]))
      if (amount < 0) fail('ERR invalid expire time, must be >= 0')
      const ms = amount * (word.startsWith('E') ? 1000 : 1) + (word.endsWith('AT') ? 0 : client.now)
      if (ms > MAX_END) fail(`ERR invalid expire time in '${name}' command`)
      options.endMs = ms
    } else if (isSet && word === 'KEEPTTL') {
      if (!free) fail('ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified')
      options.keep = true
    } else if (!isSet && word === 'PERSIST') {
      if (!free) fail(NO_FIELDS)
      options.persist = true
    } else if (isSet && (word === 'FNX' || word === 'FXX')) {
      if (options.fnx || options.fxx) fail('ERR Only one of FXX or FNX arguments can be specified')
      if (word === 'FNX') options.fnx = true
      else options.fxx = true
    } else fail(isSet ? quoting`ERR unknown argument: ${args[i]}` : NO_FIELDS)
  }
  options.at = i
  return options
}

/** Returns a function that sets a field's end, or deletes the field if that end has passed. The caller reports the change. */
function fieldEnder(client: Client, key: string, hash: Hash, endMs: number): (field: string) => void {
  return endMs <= client.now
    ? (field) => void dropField(client, key, hash, field)
    : (field) => client.db.setFieldEnd(key, hash, field, endMs)
}

function getEx(client: Client, args: readonly string[]): Reply {
  const key = args[1] as string
  const hash = client.hash(key)
  const { endMs, persist, at } = readEnd(client, args, false)
  const fields = readFields(args, at)
  if (!hash) return fields.map(() => null)
  const end = endMs === undefined ? undefined : fieldEnder(client, key, hash, endMs)
  const values: Reply[] = []
  let changed = false
  for (const field of fields) {
    // A field that is named twice may be deleted by the second time.
    values.push(hash.get(field) ?? null)
    if (!hash.has(field)) continue
    if (end) end(field)
    else if (!persist || !hash.ends?.has(field)) continue
    else client.db.setFieldEnd(key, hash, field, undefined)
    changed = true
  }
  if (changed) client.changed(key, 'h', endMs === undefined ? 'hpersist' : endMs <= client.now ? 'hdel' : 'hexpire')
  client.removeIfEmpty(key, hash)
  return values
}

function setEx(client: Client, args: readonly string[]): Reply {
  const key = args[1] as string
  const { endMs, keep, fnx, fxx, at } = readEnd(client, args, true)
  const words = readFields(args, at, 2)
  const old = client.hash(key)
  const names = words.filter((_, i) => i % 2 === 0)
  if (fnx && names.some((name) => old?.has(name))) return 0
  if (fxx && !names.every((name) => old?.has(name))) return 0
  const hash = hashToWrite(client, key)
  const end = endMs === undefined ? undefined : fieldEnder(client, key, hash, endMs)
  for (let i = 0; i < words.length; i += 2) {
    const field = words[i] as string
    hash.set(field, words[i + 1] as string)
    if (end) end(field)
    else if (!keep && hash.ends) client.db.setFieldEnd(key, hash, field, undefined)
  }
  client.changed(key, 'h', 'hset')
  if (endMs !== undefined) client.notify(key, 'h', endMs <= client.now ? 'hdel' : 'hexpire')
  client.removeIfEmpty(key, hash)
  return 1
}

export const hashFields: Family = {
  hexpire: expire(1000, true),
  hpexpire: expire(1, true),
  hexpireat: expire(1000, false),
  hpexpireat: expire(1, false),
  httl: left(1000, true),
  hpttl: left(1, true),
  hexpiretime: left(1000, false),
  hpexpiretime: left(1, false),
  hpersist(client, args) {
    const key = args[1] as string
    const hash = client.hash(key)
    const fields = readFields(args, 2)
    if (!hash) return fields.map(() => -2)
    let changed = false
    const replies = fields.map((field) => {
      if (!hash.has(field)) return -2
      if (!hash.ends?.has(field)) return -1
      client.db.setFieldEnd(key, hash, field, undefined)
      changed = true
      return 1
    })
    if (changed) client.changed(key, 'h', 'hpersist')
    return replies
  },
  hgetex: getEx,
  hsetex: setEx,
  hgetdel(client, args) {
    const key = args[1] as string
    const hash = client.hash(key)
    const fields = readFields(args, 2)
    if (!hash) return fields.map(() => null)
    let deleted = false
    const values = fields.map((field) => {
      const value = hash.get(field) ?? null
      if (dropField(client, key, hash, field)) deleted = true
      return value
    })
    if (deleted) client.changed(key, 'h', 'hdel')
    client.removeIfEmpty(key, hash)
    return values
  },
}
