import type { Client, Family } from '../contracts.ts'
import { exactInt, type Int, int } from '../numbers.ts'
import { fail, NULL_ARRAY, OK, type Reply } from '../reply.ts'
import {
  formatId,
  INVALID_ID,
  idAfter,
  idBefore,
  MAX_ID,
  MIN_ID,
  makeId,
  millisecondsOf,
  parseId,
  Stream,
  type StreamId,
} from '../stream.ts'
import { SYNTAX } from './strings.ts'

const TOO_SMALL = 'ERR The ID specified in XADD is equal or smaller than the target stream top item'
export const NO_KEY =
  'ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.'

/** An entry as a reply. */
export const entry = (id: StreamId, fields: readonly string[]): Reply => [formatId(id), [...fields]]

interface Trim {
  length: number | undefined
  minId: StreamId | undefined
  isNear: boolean
  limit: number | undefined
}

interface Options extends Trim {
  noMake: boolean
  /** An error in the options. It is thrown after the id has been checked. */
  fault: string
  /** Index of the first word after the options. */
  at: number
}

/** Reads the options of XADD and XTRIM. Throws error replies. */
function readOptions(args: readonly string[], from: number, isAdd: boolean): Options {
  const options: Options = {
    length: undefined,
    minId: undefined,
    isNear: false,
    limit: undefined,
    noMake: false,
    fault: '',
    at: from,
  }
  let hasTrim = false
  let i = from
  for (; i < args.length; i++) {
    if (isAdd && args[i] === '*') break
    const word = (args[i] as string).toUpperCase()
    const more = args.length - 1 - i
    if ((word === 'MAXLEN' || word === 'MINID') && more > 0) {
      if (hasTrim) fail('ERR syntax error, MAXLEN and MINID options at the same time are not compatible')
      hasTrim = true
      options.isNear = false
      if (more > 1 && (args[i + 1] === '~' || args[i + 1] === '=')) {
        options.isNear = args[i + 1] === '~'
        i++
      }
      const bound = args[++i] as string
      if (word === 'MAXLEN') {
        options.length = int(bound)
        if (options.length < 0) fail('ERR The MAXLEN argument must be >= 0.')
      } else options.minId = parseId(bound, 0n, true)
    } else if (word === 'LIMIT' && more > 0) {
      options.limit = int(args[++i])
      if (options.limit < 0) fail('ERR The LIMIT argument must be >= 0.')
    } else if (isAdd && word === 'NOMKSTREAM') options.noMake = true
    else if (isAdd) break
    else fail(SYNTAX)
  }
  const { limit } = options
  if (!isAdd && !hasTrim && !limit) fail('ERR syntax error, XTRIM must be called with a trimming strategy')
  if (limit !== undefined && !options.isNear) {
    const missing = hasTrim || limit === 0 ? 'the special ~ option' : 'specifying a trimming strategy'
    options.fault = `ERR syntax error, LIMIT cannot be used without ${missing}`
  }
  if (options.fault && !isAdd) fail(options.fault)
  options.at = i
  return options
}

/** Entries in one node of Redis. Trimming with `~` drops only whole nodes. */
const NODE = 100

function trim(stream: Stream, { length, minId, isNear, limit }: Trim): number {
  if (length === undefined && minId === undefined) return 0
  if (!isNear) return stream.trim(length, minId, Number.POSITIVE_INFINITY)
  const most = limit === undefined ? 100 * NODE : limit === 0 ? Number.POSITIVE_INFINITY : limit
  let droppable = 0
  if (length !== undefined) droppable = Math.max(0, stream.size - length)
  else for (const _ of stream.range(MIN_ID, idBefore(minId as StreamId) ?? MIN_ID)) droppable++
  const all = droppable === stream.size && droppable <= most
  const whole = all ? droppable : Math.floor(Math.min(droppable, most) / NODE) * NODE
  return whole > 0 ? stream.trim(length, minId, whole) : 0
}

function nextId(client: Client, stream: Stream | undefined, text: string): StreamId {
  const last = stream?.lastId ?? MIN_ID
  if (text === '*') {
    const now = Math.floor(client.now)
    return now > millisecondsOf(last)
      ? makeId(now, 0)
      : (idAfter(last) ?? fail('ERR The stream has exhausted the last possible ID, unable to add more items'))
  }
  const [, ms] = /^(\d+)-\*$/.exec(text) ?? []
  if (ms === undefined) {
    if (text === '-' || text === '+') fail(INVALID_ID)
    const id = parseId(text, 0n, true)
    if (id === MIN_ID) fail('ERR The ID specified in XADD must be greater than 0-0')
    return id
  }
  const id = parseId(ms, 0n, true)
  if (millisecondsOf(id) !== millisecondsOf(last)) return id
  if (stream === undefined || stream.lastId === MIN_ID) return millisecondsOf(id) === 0 ? makeId(0, 1) : id
  const after = idAfter(last)
  if (after === undefined || millisecondsOf(after) !== millisecondsOf(id)) fail(TOO_SMALL)
  return after as StreamId
}

function add(client: Client, args: readonly string[]): Reply {
  const key = args[1] as string
  const options = readOptions(args, 2, true)
  const { at, noMake } = options
  const text = args[at]
  if (text === undefined) fail("ERR wrong number of arguments for 'xadd' command")
  // As in Redis, the id is checked first, then the number of words after it.
  if (text !== '*' && !/^\d+-\*$/.test(text as string)) {
    if (text === '-' || text === '+') fail(INVALID_ID)
    parseId(text as string, 0n, true)
  } else if (text !== '*') parseId((text as string).slice(0, -2), 0n, true)
  if (options.fault) fail(options.fault)
  const fields = args.slice(at + 1)
  if (fields.length < 2 || fields.length % 2 !== 0) fail("ERR wrong number of arguments for 'xadd' command")
  if (text !== '*' && !(text as string).endsWith('*') && parseId(text as string, 0n, true) === MIN_ID) {
    fail('ERR The ID specified in XADD must be greater than 0-0')
  }
  const old = client.stream(key)
  if (!old && noMake) return null
  if (old?.lastId === MAX_ID) fail('ERR The stream has exhausted the last possible ID, unable to add more items')
  const id = nextId(client, old, text as string)
  if (old && id <= old.lastId) fail(TOO_SMALL)
  const stream = old ?? new Stream()
  if (!old) client.put(key, stream)
  stream.append(id, fields)
  client.changed(key, 't', 'xadd')
  if (trim(stream, options) > 0) client.notify(key, 't', 'xtrim')
  return formatId(id)
}

/** Parses the end of a range; `(5-1` excludes its id. Throws error replies. */
export function rangeEnd(text: string, isLast: boolean): StreamId {
  const isOpen = text.startsWith('(')
  const id = parseId(isOpen ? text.slice(1) : text, isLast ? 2n ** 64n - 1n : 0n, isOpen)
  if (!isOpen) return id
  const next = isLast ? idBefore(id) : idAfter(id)
  return next ?? fail(isLast ? 'ERR invalid end ID for the interval' : 'ERR invalid start ID for the interval')
}

const range =
  (backwards: boolean) =>
  (client: Client, args: readonly string[]): Reply => {
    const [, key = '', a = '', b = ''] = args
    const [first, last] = backwards ? [b, a] : [a, b]
    const from = rangeEnd(first, false)
    const to = rangeEnd(last, true)
    let count = Number.POSITIVE_INFINITY
    for (let i = 4; i < args.length; i += 2) {
      if (args[i]?.toUpperCase() !== 'COUNT' || args[i + 1] === undefined) fail(SYNTAX)
      count = Math.max(0, int(args[i + 1]))
    }
    const stream = client.stream(key)
    if (!stream) return []
    if (count === 0) return NULL_ARRAY
    const found: Reply[] = []
    for (const [id, fields] of backwards ? stream.rangeBackwards(from, to) : stream.range(from, to)) {
      if (found.push(entry(id, fields)) >= count) break
    }
    return found
  }

function remove(client: Client, args: readonly string[]): Reply {
  const key = args[1] as string
  const stream = client.stream(key)
  if (!stream) return 0
  const ids = args.slice(2).map((id) => parseId(id, 0n, true))
  let count = 0
  for (const id of ids) {
    if (!stream.drop(id)) continue
    if (id > stream.maxDeletedId) stream.maxDeletedId = id
    count++
  }
  if (count > 0) client.changed(key, 't', 'xdel')
  return count
}

function setId(client: Client, args: readonly string[]): Reply {
  const key = args[1] as string
  const id = parseId(args[2] as string, 0n, true)
  let added: Int | undefined
  let deleted: StreamId | undefined
  for (let i = 3; i < args.length; i += 2) {
    const word = args[i]?.toUpperCase()
    const value = args[i + 1]
    if (value === undefined) fail(SYNTAX)
    if (word === 'ENTRIESADDED') {
      added = exactInt(value)
      if (added < 0) fail('ERR entries_added must be positive')
    } else if (word === 'MAXDELETEDID') {
      deleted = parseId(value as string, 0n, true)
      if (id < deleted) fail('ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id')
    } else fail(SYNTAX)
  }
  const stream = client.stream(key) ?? fail('ERR no such key')
  if (id < stream.maxDeletedId) fail('ERR The ID specified in XSETID is smaller than current max_deleted_entry_id')
  if (stream.size > 0 && id < (stream.last() as StreamId))
    fail('ERR The ID specified in XSETID is smaller than the target stream top item')
  if (added !== undefined && stream.size > added)
    fail('ERR The entries_added specified in XSETID is smaller than the target stream length')
  stream.lastId = id
  if (added !== undefined) stream.entriesAdded = added
  if (deleted !== undefined && deleted !== MIN_ID) stream.maxDeletedId = deleted
  client.metadataChanged(key, 'xsetid')
  return OK
}

export const streams: Family = {
  xadd: add,
  xlen: (client, args) => client.stream(args[1] as string)?.size ?? 0,
  xrange: range(false),
  xrevrange: range(true),
  xdel: remove,
  xsetid: setId,
  xtrim(client, args) {
    const key = args[1] as string
    const options = readOptions(args, 2, false)
    const stream = client.stream(key)
    if (!stream) return 0
    const dropped = trim(stream, options)
    if (dropped > 0) client.changed(key, 't', 'xtrim')
    return dropped
  },
}
