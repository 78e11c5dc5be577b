import { random } from '../../runtime/random.ts'
import type { Client, Family } from '../contracts.ts'
import type { Database } from '../database.ts'
import { matchGlob } from '../glob.ts'
import { copyOf, encodingOf, typeOf } from '../kinds.ts'
import { int, int32 } from '../numbers.ts'
import { fail, OK, type Reply, Simple } from '../reply.ts'
import { readCursor, readScanOptions, scanPlaces } from '../scan.ts'
import { Hash, type Value } from '../values.ts'
import { SYNTAX } from './strings.ts'

function remove(client: Client, args: readonly string[]): Reply {
  let count = 0
  for (const key of args.slice(1)) {
    if (!client.remove(key)) continue
    client.changed(key, 'g', 'del')
    count++
  }
  return count
}

const countKeys = (client: Client, args: readonly string[]): Reply =>
  args.slice(1).reduce((count, key) => count + (client.find(key) === undefined ? 0 : 1), 0)

interface Placed {
  readonly value: Value
  readonly endMs: number | undefined
}

/** Stores a value under a key of a database, with its end and those of its fields. */
function place(client: Client, db: Database, key: string, { value, endMs }: Placed): void {
  db.delete(key)
  db.entries.set(key, value)
  if (endMs !== undefined) db.ends.set(key, endMs)
  if (value instanceof Hash && value.ends) db.fieldEnds.add(key)
  client.engine.appeared(db, key)
}

function rename(client: Client, [, from = '', to = '']: readonly string[], onlyNew: boolean): Reply {
  const value = client.find(from) ?? fail('ERR no such key')
  if (from === to) return onlyNew ? 0 : OK
  if (client.find(to) !== undefined && onlyNew) return 0
  const endMs = client.db.ends.get(from)
  client.db.delete(from)
  place(client, client.db, to, { value, endMs })
  client.changed(from, 'g', 'rename_from')
  client.changed(to, 'g', 'rename_to')
  return onlyNew ? 1 : OK
}

const DB_RANGE = 'ERR DB index is out of range'
const databaseAt = (client: Client, text: string | undefined, message: string): Database =>
  client.engine.databases[int32(text, message)] ?? fail(DB_RANGE)

function copy(client: Client, args: readonly string[]): Reply {
  const [, from = '', to = ''] = args
  let db = client.db
  let replace = false
  for (let i = 3; i < args.length; i++) {
    const word = args[i]?.toUpperCase()
    if (word === 'REPLACE') replace = true
    else if (word === 'DB' && i + 1 < args.length)
      db = databaseAt(client, args[++i], 'ERR value is not an integer or out of range')
    else fail(SYNTAX)
  }
  if (db === client.db && from === to) fail('ERR source and destination objects are the same')
  const value = client.find(from)
  if (value === undefined) return 0
  const endMs = client.db.ends.get(from)
  client.engine.hasEnded(db, to)
  if (db.entries.has(to) && !replace) return 0
  place(client, db, to, { value: copyOf(value), endMs })
  client.engine.touched(db, to, client)
  client.engine.notify(db, to, 'g', 'copy_to')
  return 1
}

function move(client: Client, [, key = '', index]: readonly string[]): Reply {
  const db = databaseAt(client, index, 'ERR value is not an integer or out of range')
  if (db === client.db) fail('ERR source and destination objects are the same')
  const value = client.find(key)
  if (value === undefined) return 0
  client.engine.hasEnded(db, key)
  if (db.entries.has(key)) return 0
  const endMs = client.db.ends.get(key)
  client.db.delete(key)
  place(client, db, key, { value, endMs })
  client.changed(key, 'g', 'move_from')
  client.engine.touched(db, key, client)
  client.engine.notify(db, key, 'g', 'move_to')
  return 1
}

function scan(client: Client, args: readonly string[]): Reply {
  const from = readCursor(args[1] as string)
  const options = readScanOptions(args, 2, 'type')
  const { cursor, names } = scanPlaces(client.db.entries, from, options, 0)
  const found = names.filter((key) => {
    const value = client.db.entries.get(key)
    if (value !== undefined && options.type !== undefined && typeOf(value).toLowerCase() !== options.type) return false
    return value !== undefined && !client.engine.hasEnded(client.db, key)
  })
  return [cursor, found]
}

function randomKey(client: Client): Reply {
  const { names } = client.db.entries
  while (names.length > 0) {
    const key = names[Math.floor(random() * names.length)] as string
    if (client.find(key) !== undefined) return key
  }
  return null
}

/** SYNC and ASYNC mean the same here, because memory is freed at once. */
function checkFlush(args: readonly string[]): void {
  if (args.length > 2 || (args[1] !== undefined && !/^(a?sync)$/i.test(args[1]))) fail(SYNTAX)
}

function swap(client: Client, [, first, second]: readonly string[]): Reply {
  const { engine } = client
  const a = engine.databases[int(first, 'ERR invalid first DB index')] ?? fail(DB_RANGE)
  const b = engine.databases[int(second, 'ERR invalid second DB index')] ?? fail(DB_RANGE)
  if (a === b) return OK
  for (const db of [a, b]) for (const key of db.entries.names) engine.touched(db, key, client)
  ;[a.entries, b.entries] = [b.entries, a.entries]
  ;[a.ends, b.ends] = [b.ends, a.ends]
  const fields = [...a.fieldEnds]
  a.fieldEnds.clear()
  for (const key of b.fieldEnds) a.fieldEnds.add(key)
  b.fieldEnds.clear()
  for (const key of fields) b.fieldEnds.add(key)
  for (const db of [a, b]) for (const key of db.entries.names) engine.touched(db, key, client)
  return OK
}

const SWITCHING =
  'Please note that when switching between policies at runtime LRU and LFU data will take some time to adjust.'
/** Numbers that Redis holds once for all keys, and the reference count that it reports for them. */
const SHARED = /^[0-9]{1,4}$/
const SHARED_COUNT = 2_147_483_647

export const keys: Family = {
  del: remove,
  unlink: remove,
  exists: countKeys,
  touch: countKeys,
  type(client, args) {
    const value = client.find(args[1] as string)
    return new Simple(value === undefined ? 'none' : typeOf(value))
  },
  rename: (client, args) => rename(client, args, false),
  renamenx: (client, args) => rename(client, args, true),
  copy,
  move,
  scan,
  randomkey: randomKey,
  dbsize: (client) => client.db.entries.size,
  keys(client, [, pattern = '']) {
    const all =
      pattern === '*' ? [...client.db.entries.names] : client.db.entries.names.filter((key) => matchGlob(pattern, key))
    return all.filter((key) => client.find(key) !== undefined)
  },
  flushdb(client, args) {
    checkFlush(args)
    client.engine.cleared(client.db)
    client.engine.tracking.clearedAll()
    return OK
  },
  flushall(client, args) {
    checkFlush(args)
    for (const db of client.engine.databases) client.engine.cleared(db)
    client.engine.tracking.clearedAll()
    return OK
  },
  swapdb: swap,
  'object|encoding'(client, args) {
    const value = client.find(args[2] as string)
    return value === undefined ? null : encodingOf(value)
  },
  'object|refcount'(client, args) {
    const value = client.find(args[2] as string)
    if (value === undefined) return null
    return typeof value === 'string' && SHARED.test(value) && encodingOf(value) === 'int' ? SHARED_COUNT : 1
  },
  'object|idletime'(client, args) {
    if (client.find(args[2] as string) === undefined) return null
    if (client.engine.config.values.get('maxmemory-policy')?.endsWith('lfu'))
      fail(`ERR An LFU maxmemory policy is selected, idle time not tracked. ${SWITCHING}`)
    return 0
  },
  'object|freq'(client, args) {
    if (client.find(args[2] as string) === undefined) return null
    return fail(`ERR An LFU maxmemory policy is not selected, access frequency not tracked. ${SWITCHING}`)
  },
}
