import { random } from '../../runtime/random.ts'
import type { Client, Family } from '../contracts.ts'
import type { IndexedMap } from '../indexed-map.ts'
import { add, exactInt, parseInt64 } from '../numbers.ts'
import { fail, MapReply, OK, type Reply } from '../reply.ts'
import { readCursor, readScanOptions, scanPlaces } from '../scan.ts'
import { Hash } from '../values.ts'
import { addFloats } from './counters.ts'
import { SYNTAX } from './strings.ts'

export function hashToWrite(client: Client, key: string): Hash {
  const hash = client.hash(key)
  if (hash) return hash
  const made = new Hash()
  client.put(key, made)
  return made
}

/** Sets fields and removes their ends. Returns how many fields are new. */
function set(client: Client, args: readonly string[], name: string): number {
  if (args.length % 2 !== 0) fail(`ERR wrong number of arguments for '${name}' command`)
  const key = args[1] as string
  const hash = hashToWrite(client, key)
  let added = 0
  for (let i = 2; i < args.length; i += 2) {
    if (hash.ends) client.db.setFieldEnd(key, hash, args[i] as string, undefined)
    if (hash.set(args[i] as string, args[i + 1] as string)) added++
  }
  client.changed(key, 'h', 'hset')
  return added
}

function remove(client: Client, args: readonly string[]): Reply {
  const key = args[1] as string
  const hash = client.hash(key)
  if (!hash) return 0
  let count = 0
  for (const field of args.slice(2)) if (dropField(client, key, hash, field)) count++
  if (count > 0) {
    client.changed(key, 'h', 'hdel')
    client.removeIfEmpty(key, hash)
  }
  return count
}

export function dropField(client: Client, key: string, hash: Hash, field: string): boolean {
  if (!hash.delete(field)) return false
  if (hash.ends) client.db.setFieldEnd(key, hash, field, undefined)
  return true
}

function pairs(hash: Hash | undefined): string[] {
  return hash ? hash.names.flatMap((name, place) => [name, hash.values[place] as string]) : []
}

function scan(client: Client, args: readonly string[]): Reply {
  const from = readCursor(args[2] as string)
  const hash = client.hash(args[1] as string)
  if (!hash) return ['0', []]
  const options = readScanOptions(args, 3, 'novalues')
  const { cursor, names } = scanPlaces(hash, from, options)
  return [cursor, options.noValues ? names : names.flatMap((name) => [name, hash.get(name) as string])]
}

/** Random indexes: `count` different ones; or, if `count` is negative, as many as its amount, which may repeat. */
export function pick(map: IndexedMap<unknown>, count: number): number[] {
  const { size } = map
  if (count < 0) return Array.from({ length: -count }, () => Math.floor(random() * size))
  const places = Array.from({ length: size }, (_, place) => place)
  for (let i = 0; i < Math.min(count, size); i++) {
    const j = i + Math.floor(random() * (size - i))
    ;[places[i], places[j]] = [places[j] as number, places[i] as number]
  }
  return places.slice(0, Math.max(0, count))
}

const MOST = 2n ** 63n - 1n
const OUT_OF_RANGE = 'ERR value is out of range'

/** The count of HRANDFIELD and similar commands; undefined without a count, which means one. Throws error replies. */
export function readPickCount(args: readonly string[], withWhat: string): number | undefined {
  if (args.length === 2) return undefined
  const count = BigInt(exactInt(args[2]))
  if (count < -MOST) fail(`${OUT_OF_RANGE}, value must between -${MOST} and ${MOST}`)
  if (args.length > 4 || (args.length === 4 && args[3]?.toUpperCase() !== withWhat)) fail(SYNTAX)
  if (args.length === 4 && (count < -MOST / 2n || count > MOST / 2n)) fail(OUT_OF_RANGE)
  // No process could pick so many; Redis would never finish.
  if (count < -(2n ** 62n)) fail(OUT_OF_RANGE)
  return Number(count)
}

function randomField(client: Client, args: readonly string[]): Reply {
  const key = args[1] as string
  const count = readPickCount(args, 'WITHVALUES')
  const hash = client.hash(key)
  if (!hash) return count === undefined ? null : []
  if (count === undefined) return hash.names[pick(hash, 1)[0] as number] as string
  const places = pick(hash, count)
  if (args.length !== 4) return places.map((place) => hash.names[place] as string)
  const found = places.map((place) => [hash.names[place] as string, hash.values[place] as string])
  return client.resp === 3 ? found : found.flat()
}

export const hashes: Family = {
  hset: (client, args) => set(client, args, 'hset'),
  hmset(client, args) {
    set(client, args, 'hmset')
    return OK
  },
  hsetnx(client, [, key = '', field = '', value = '']) {
    if (client.hash(key)?.has(field)) return 0
    hashToWrite(client, key).set(field, value)
    client.changed(key, 'h', 'hset')
    return 1
  },
  hget: (client, args) => client.hash(args[1] as string)?.get(args[2] as string) ?? null,
  hmget(client, args) {
    const hash = client.hash(args[1] as string)
    return args.slice(2).map((field) => hash?.get(field) ?? null)
  },
  hgetall: (client, args) => new MapReply(pairs(client.hash(args[1] as string))),
  hkeys: (client, args) => [...(client.hash(args[1] as string)?.names ?? [])],
  hvals: (client, args) => [...(client.hash(args[1] as string)?.values ?? [])],
  hlen: (client, args) => client.hash(args[1] as string)?.size ?? 0,
  hexists: (client, args) => (client.hash(args[1] as string)?.has(args[2] as string) ? 1 : 0),
  hstrlen: (client, args) => client.hash(args[1] as string)?.get(args[2] as string)?.length ?? 0,
  hdel: remove,
  hincrby(client, [, key = '', field = '', amount]) {
    const by = exactInt(amount)
    const old = client.hash(key)?.get(field) ?? '0'
    const from = parseInt64(old) ?? fail('ERR hash value is not an integer')
    const sum = add(from, by) ?? fail('ERR increment or decrement would overflow')
    hashToWrite(client, key).set(field, `${sum}`)
    client.changed(key, 'h', 'hincrby')
    return sum
  },
  hincrbyfloat(client, [, key = '', field = '', by = '']) {
    if (/^[+-]?(inf(inity)?|nan)$/i.test(by))
      fail(/nan/i.test(by) ? 'ERR value is not a valid float' : 'ERR value is NaN or Infinity')
    addFloats('0', by, '', '')
    const old = client.hash(key)?.get(field) ?? '0'
    const sum = addFloats(old, by, 'ERR hash value is not a float', 'ERR increment would produce NaN or Infinity')
    hashToWrite(client, key).set(field, sum)
    client.changed(key, 'h', 'hincrbyfloat')
    return sum
  },
  hscan: scan,
  hrandfield: randomField,
}
