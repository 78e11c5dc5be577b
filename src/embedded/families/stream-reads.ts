import type { Client, Family, Outcome } from '../contracts.ts'
import { addWrapped, type Int, int } from '../numbers.ts'
import { fail, MapReply, NULL_ARRAY, quoting, type Reply } from '../reply.ts'
import { SortedMap } from '../sorted-map.ts'
import {
  addedUpTo,
  type Consumer,
  type Group,
  hasGapsFrom,
  idAfter,
  MAX_ID,
  MIN_ID,
  parseId,
  type Stream,
  type StreamId,
} from '../stream.ts'
import { entry } from './streams.ts'
import { SYNTAX } from './strings.ts'

export function consumerOf(client: Client, group: Group, name: string, key: string): Consumer {
  const known = group.consumers.get(name)
  if (known) return known
  const made: Consumer = { name, seenMs: client.now, activeMs: -1, pending: new SortedMap() }
  group.consumers.set(name, made)
  client.metadataChanged(key, 'xgroup-createconsumer')
  return made
}

interface ReadOptions {
  count: number
  blockMs: number | undefined
  group: string | undefined
  consumer: string
  noAck: boolean
  keys: readonly string[]
  ids: readonly string[]
}

function read(args: readonly string[], isGroup: boolean): ReadOptions {
  const options: ReadOptions = {
    count: Number.POSITIVE_INFINITY,
    blockMs: undefined,
    group: undefined,
    consumer: '',
    noAck: false,
    keys: [],
    ids: [],
  }
  const name = isGroup ? 'xreadgroup' : 'xread'
  let at = -1
  for (let i = 1; i < args.length; i++) {
    const word = (args[i] as string).toUpperCase()
    const more = args.length - 1 - i
    if (word === 'BLOCK' && more > 0) {
      options.blockMs = int(args[++i], 'ERR timeout is not an integer or out of range')
      if (options.blockMs < 0) fail('ERR timeout is negative')
    } else if (word === 'COUNT' && more > 0) {
      const count = int(args[++i])
      options.count = count <= 0 ? Number.POSITIVE_INFINITY : count
    } else if (word === 'STREAMS' && more > 0) {
      at = i + 1
      break
    } else if (word === 'GROUP' && more >= 2) {
      if (!isGroup) fail('ERR The GROUP option is only supported by XREADGROUP. You called XREAD instead.')
      options.group = args[i + 1] as string
      options.consumer = args[i + 2] as string
      i += 2
    } else if (word === 'NOACK') {
      if (!isGroup) fail('ERR The NOACK option is only supported by XREADGROUP. You called XREAD instead.')
      options.noAck = true
    } else fail(SYNTAX)
  }
  if (at < 0) fail(SYNTAX)
  const rest = args.length - at
  if (rest % 2 !== 0) {
    const allowed = isGroup ? "an ID or '>'" : "an ID, '+', or '$'"
    fail(`ERR Unbalanced '${name}' list of streams: for each stream key ${allowed} must be specified.`)
  }
  if (isGroup && options.group === undefined) fail('ERR Missing GROUP option for XREADGROUP')
  options.keys = args.slice(at, at + rest / 2)
  options.ids = args.slice(at + rest / 2)
  return options
}

const list = (client: Client, found: readonly (readonly [string, Reply])[]): Reply =>
  client.resp === 3 ? new MapReply(found.flat()) : found.map((pair) => [...pair])

function since(stream: Stream, from: StreamId | undefined, count: number): Reply[] {
  const entries: Reply[] = []
  if (from === undefined) return entries
  for (const [id, fields] of stream.range(from, MAX_ID)) if (entries.push(entry(id, fields)) >= count) break
  return entries
}

function readPlain(client: Client, args: readonly string[]): Outcome {
  const { keys, ids, count, blockMs } = read(args, false)
  // `$` is the last id when the command was first run, also when it is run again after a wait.
  const from = keys.map((key, i) => {
    const id = ids[i] as string
    const stream = client.stream(key)
    if (id === '$') return client.retrying ? (client.lastIds?.get(key) ?? MIN_ID) : (stream?.lastId ?? MIN_ID)
    if (id === '+') return undefined
    if (id === '>')
      return fail(
        'ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.',
      )
    return parseId(id, 0n, true)
  })
  const found: [string, Reply][] = []
  keys.forEach((key, i) => {
    const stream = client.stream(key)
    if (!stream) return
    const start = from[i]
    const last = start === undefined ? stream.last() : undefined
    const entries =
      start === undefined
        ? last
          ? [entry(last, stream.get(last) as readonly string[])]
          : []
        : since(stream, idAfter(start), count)
    if (entries.length > 0) found.push([key, entries])
  })
  if (found.length > 0) return list(client, found)
  if (blockMs === undefined) return NULL_ARRAY
  if (!client.retrying) client.lastIds = new Map(keys.map((key, i) => [key, from[i] ?? MIN_ID]))
  return client.wait({ keys, kind: 'stream', timeoutMs: blockMs })
}

/** A consumer that reads a stream for its group. */
interface GroupReader {
  readonly key: string
  readonly stream: Stream
  readonly group: Group
  readonly consumer: Consumer
}

/** Delivers entries that no consumer of the group has received yet. */
function deliver(client: Client, { key, stream, group, consumer }: GroupReader, options: ReadOptions): Reply[] {
  const entries: Reply[] = []
  const start = idAfter(group.lastId)
  if (start === undefined) return entries
  for (const [id, fields] of stream.range(start, MAX_ID)) {
    if (entries.length >= options.count) break
    entries.push(entry(id, fields))
    group.entriesRead = readSoFar(stream, group, id)
    group.lastId = id
    if (options.noAck) continue
    const pending = group.pending.get(id)
    pending?.consumer.pending.delete(id)
    const own = { consumer, deliveredMs: client.now, count: 1 }
    group.pending.set(id, own)
    consumer.pending.set(id, own)
  }
  if (entries.length > 0) {
    consumer.activeMs = client.now
    client.engine.metadataChanged(client.db, key)
  }
  return entries
}

/**
 * Number of entries that the group has read, this one included. Counted if its last entry is in the stream and none was deleted
 * since; otherwise estimated.
 */
function readSoFar(stream: Stream, { entriesRead, lastId }: Group, id: StreamId): Int | undefined {
  const isKnown = lastId >= (stream.first() as StreamId) && !hasGapsFrom(stream, lastId)
  return isKnown && entriesRead !== undefined ? addWrapped(entriesRead, 1) : addedUpTo(stream, id)
}

/** Entries that were delivered to the consumer and not acknowledged. */
function history(client: Client, { stream, consumer }: GroupReader, from: StreamId, count: number): Reply[] {
  const entries: Reply[] = []
  for (const [id, pending] of consumer.pending.range(from, MAX_ID)) {
    if (entries.length >= count) break
    const fields = stream.get(id)
    entries.push(fields ? entry(id, fields) : [(entry(id, []) as Reply[])[0] as Reply, NULL_ARRAY])
    if (fields) {
      pending.deliveredMs = client.now
      pending.count++
    }
  }
  return entries
}

function readGroup(client: Client, args: readonly string[]): Outcome {
  const options = read(args, true)
  const { keys, ids, count, blockMs, group: groupName = '' } = options
  const groups = keys.map((key, i) => {
    const stream = client.stream(key)
    const group = stream?.groups.get(groupName)
    if (!stream || !group) {
      return fail(
        quoting`NOGROUP No such key '${key}' or consumer group '${groupName}' in XREADGROUP with GROUP option`,
      )
    }
    const id = ids[i] as string
    if (id === '$') {
      fail(
        'ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would just return an empty result set.',
      )
    }
    if (id === '+')
      fail(
        'ERR The + ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, or use the > ID to get new messages. The + ID would just return an empty result set.',
      )
    // In Redis the largest id means `>`, too.
    const isNew = id === '>' || parseId(id, 0n, true) === MAX_ID
    return { stream, group, isNew }
  })
  const found: [string, Reply][] = []
  groups.forEach(({ stream, group, isNew }, i) => {
    const key = keys[i] as string
    const consumer = consumerOf(client, group, options.consumer, key)
    consumer.seenMs = client.now
    const reader = { key, stream, group, consumer }
    if (!isNew) {
      const from = idAfter(parseId(ids[i] as string, 0n, true))
      if (from !== undefined) found.push([key, history(client, reader, from, count)])
      return
    }
    const entries = deliver(client, reader, options)
    if (entries.length > 0) found.push([key, entries])
  })
  if (found.length > 0) return list(client, found)
  if (blockMs === undefined) return NULL_ARRAY
  return client.wait({ keys, kind: 'stream', timeoutMs: blockMs, untilGone: true })
}

export const streamReads: Family = { xread: readPlain, xreadgroup: readGroup }
