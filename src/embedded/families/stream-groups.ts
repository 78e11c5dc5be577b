/**
 * Commands about the consumer groups of streams: XGROUP, XACK, XPENDING and XINFO. XREADGROUP is in stream-reads.ts, XCLAIM and
 * XAUTOCLAIM in stream-claims.ts. A pending entry is in two maps, that of its group and that of its consumer, which must always
 * change together.
 */
import type { Client, Family } from '../contracts.ts'
import { addWrapped, exactInt, type Int, int } from '../numbers.ts'
import { fail, MapReply, NULL_ARRAY, OK, quoting, type Reply } from '../reply.ts'
import {
  addedUpTo,
  createGroup,
  formatId,
  type Group,
  hasGapsFrom,
  MAX_ID,
  MIN_ID,
  parseId,
  Stream,
  type StreamId,
} from '../stream.ts'
import { consumerOf } from './stream-reads.ts'
import { entry, NO_KEY, rangeEnd } from './streams.ts'
import { SYNTAX } from './strings.ts'

const streamOf = (client: Client, key: string): Stream => client.stream(key) ?? fail(NO_KEY)
const groupOf = (stream: Stream, name: string, key: string): Group =>
  stream.groups.get(name) ?? fail(quoting`NOGROUP No such consumer group '${name}' for key name '${key}'`)

const lastIdOf = (stream: Stream | undefined, text: string, strict: boolean): StreamId =>
  text === '$' ? (stream?.lastId ?? MIN_ID) : parseId(text, 0n, strict)

function readEntriesRead(
  args: readonly string[],
  from: number,
  allowsMake: boolean,
): { make: boolean; read: Int | undefined } {
  let make = false
  let read: Int | undefined
  for (let i = from; i < args.length; i++) {
    const word = (args[i] as string).toUpperCase()
    if (allowsMake && word === 'MKSTREAM') make = true
    else if (word === 'ENTRIESREAD' && i + 1 < args.length) {
      read = exactInt(args[++i])
      if (read < 0 && read !== -1) fail('ERR value for ENTRIESREAD must be positive or -1')
      if (read === -1) read = undefined
    } else
      fail(
        `ERR unknown subcommand or wrong number of arguments for '${allowsMake ? 'CREATE' : 'SETID'}'. Try XGROUP HELP.`,
      )
  }
  return { make, read }
}

function create(client: Client, args: readonly string[]): Reply {
  const [, , key = '', name = '', text = ''] = args
  const { make, read } = readEntriesRead(args, 5, true)
  const existing = client.stream(key)
  if (!existing && !make) fail(NO_KEY)
  const id = lastIdOf(existing, text, true)
  const stream = existing ?? new Stream()
  if (!existing) {
    client.put(key, stream)
    client.engine.touched(client.db, key, client)
  }
  if (stream.groups.has(name)) fail('BUSYGROUP Consumer Group name already exists')
  stream.groups.set(name, createGroup(id, read))
  client.metadataChanged(key, 'xgroup-create')
  return OK
}

function acknowledge(client: Client, args: readonly string[]): Reply {
  const [, key = '', name = ''] = args
  const group = client.stream(key)?.groups.get(name)
  if (!group) return 0
  const ids = args.slice(3).map((id) => parseId(id, 0n, true))
  let count = 0
  for (const id of ids) {
    const pending = group.pending.get(id)
    if (!pending) continue
    group.pending.delete(id)
    pending.consumer.pending.delete(id)
    count++
  }
  if (count > 0) client.engine.metadataChanged(client.db, key)
  return count
}

function pendingSummary(group: Group): Reply {
  if (group.pending.size === 0) return [0, null, null, NULL_ARRAY]
  const owners = [...group.consumers.values()]
    .filter(({ pending }) => pending.size > 0)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  return [
    group.pending.size,
    formatId(group.pending.first() as StreamId),
    formatId(group.pending.last() as StreamId),
    owners.map(({ name, pending }) => [name, `${pending.size}`]),
  ]
}

function pending(client: Client, args: readonly string[]): Reply {
  const [, key = '', name = ''] = args
  let at = 3
  let idleMs = 0
  const isShort = args.length === 3
  if (!isShort && (args.length < 6 || args.length > 9)) fail(SYNTAX)
  if (args[3]?.toUpperCase() === 'IDLE') {
    idleMs = Number(exactInt(args[4]))
    if (args.length < 8) fail(SYNTAX)
    at = 5
  }
  const count = isShort ? 0 : int(args[at + 2])
  const from = isShort ? MIN_ID : rangeEnd(args[at] as string, false)
  const to = isShort ? MAX_ID : rangeEnd(args[at + 1] as string, true)
  const group = client.stream(key)?.groups.get(name)
  if (!group) return fail(quoting`NOGROUP No such key '${key}' or consumer group '${name}'`)
  if (isShort) return pendingSummary(group)
  const only = args[at + 3]
  const source = only === undefined ? group.pending : group.consumers.get(only)?.pending
  const found: Reply[] = []
  if (!source) return found
  for (const [id, one] of source.range(from, to)) {
    if (found.length >= count) break
    const idle = client.now - one.deliveredMs
    if (idle >= idleMs) found.push([formatId(id), one.consumer.name, idle, one.count])
  }
  return found
}

const lagOf = (stream: Stream, group: Group): Int | null => {
  const { entriesAdded, size } = stream
  if (entriesAdded === 0 || size === 0) return 0
  const first = stream.first() as StreamId
  if (group.lastId < first && stream.maxDeletedId < first) return size
  const isKnown = group.entriesRead !== undefined && !hasGapsFrom(stream, group.lastId)
  const read = isKnown ? group.entriesRead : addedUpTo(stream, group.lastId)
  return read === undefined ? null : addWrapped(entriesAdded, -read)
}

const groupInfo =
  (stream: Stream) =>
  ([name, group]: readonly [string, Group]): Reply =>
    new MapReply([
      'name',
      name,
      'consumers',
      group.consumers.size,
      'pending',
      group.pending.size,
      'last-delivered-id',
      formatId(group.lastId),
      'entries-read',
      group.entriesRead ?? null,
      'lag',
      lagOf(stream, group),
    ])

/** Redis keeps groups and consumers in the order of their names. */
const sortedByName = <T>(all: ReadonlyMap<string, T>): [string, T][] => [...all].sort(([a], [b]) => (a < b ? -1 : 1))

function firstOf<T>(items: Iterable<T>, count: number): T[] {
  const found: T[] = []
  for (const item of items) {
    if (found.length >= count) break
    found.push(item)
  }
  return found
}

const fullGroup =
  (stream: Stream, most: number) =>
  ([name, group]: readonly [string, Group]): Reply =>
    new MapReply([
      'name',
      name,
      'last-delivered-id',
      formatId(group.lastId),
      'entries-read',
      group.entriesRead ?? null,
      'lag',
      lagOf(stream, group),
      'pel-count',
      group.pending.size,
      'pending',
      firstOf(group.pending.range(MIN_ID, MAX_ID), most).map(([id, { consumer, deliveredMs, count }]) => [
        formatId(id),
        consumer.name,
        deliveredMs,
        count,
      ]),
      'consumers',
      sortedByName(group.consumers)
        .map(([, one]) => one)
        .map(
          ({ name: own, seenMs, activeMs, pending: theirs }) =>
            new MapReply([
              'name',
              own,
              'seen-time',
              seenMs,
              'active-time',
              activeMs,
              'pel-count',
              theirs.size,
              'pending',
              firstOf(theirs.range(MIN_ID, MAX_ID), most).map(([id, { deliveredMs, count }]) => [
                formatId(id),
                deliveredMs,
                count,
              ]),
            ]),
        ),
    ])

function streamInfo(client: Client, args: readonly string[]): Reply {
  const stream = client.stream(args[2] as string) ?? fail('ERR no such key')
  const isFull = args[3]?.toUpperCase() === 'FULL'
  const bad = "ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP."
  if (args.length > 3 && (!isFull || (args.length > 4 && (args.length !== 6 || args[4]?.toUpperCase() !== 'COUNT'))))
    fail(bad)
  const most = args.length === 6 ? int(args[5]) : 10
  const at = (id: StreamId | undefined): Reply =>
    id === undefined ? null : entry(id, stream.get(id) as readonly string[])
  const head: Reply[] = [
    'length',
    stream.size,
    'radix-tree-keys',
    stream.size > 0 ? 1 : 0,
    'radix-tree-nodes',
    2,
    'last-generated-id',
    formatId(stream.lastId),
  ]
  head.push(
    'max-deleted-entry-id',
    formatId(stream.maxDeletedId),
    'entries-added',
    stream.entriesAdded,
    'recorded-first-entry-id',
    formatId(stream.first() ?? MIN_ID),
  )
  if (!isFull)
    return new MapReply([
      ...head,
      'groups',
      stream.groups.size,
      'first-entry',
      at(stream.first()),
      'last-entry',
      at(stream.last()),
    ])
  const count = most < 0 ? 10 : most === 0 ? Number.POSITIVE_INFINITY : most
  const entries = firstOf(stream.range(MIN_ID, MAX_ID), count).map(([id, fields]) => entry(id, fields))
  return new MapReply([
    ...head,
    'entries',
    entries,
    'groups',
    sortedByName(stream.groups).map(fullGroup(stream, count)),
  ])
}

export const streamGroups: Family = {
  'xgroup|create': create,
  'xgroup|setid'(client, args) {
    const [, , key = '', name = '', text = ''] = args
    const { read } = readEntriesRead(args, 5, false)
    if (args.length !== 5 && args.length !== 7)
      fail("ERR unknown subcommand or wrong number of arguments for 'SETID'. Try XGROUP HELP.")
    const stream = streamOf(client, key)
    const group = groupOf(stream, name, key)
    group.lastId = lastIdOf(stream, text, false)
    group.entriesRead = read
    client.metadataChanged(key, 'xgroup-setid')
    return OK
  },
  'xgroup|destroy'(client, [, , key = '', name = '']) {
    if (!streamOf(client, key).groups.delete(name)) return 0
    client.metadataChanged(key, 'xgroup-destroy')
    return 1
  },
  'xgroup|createconsumer'(client, [, , key = '', name = '', consumer = '']) {
    const group = groupOf(streamOf(client, key), name, key)
    if (group.consumers.has(consumer)) return 0
    consumerOf(client, group, consumer, key)
    return 1
  },
  'xgroup|delconsumer'(client, [, , key = '', name = '', consumer = '']) {
    const group = groupOf(streamOf(client, key), name, key)
    const gone = group.consumers.get(consumer)
    if (!gone) return 0
    for (const [id] of [...gone.pending.range(MIN_ID, MAX_ID)]) group.pending.delete(id)
    group.consumers.delete(consumer)
    client.metadataChanged(key, 'xgroup-delconsumer')
    return gone.pending.size
  },
  xack: acknowledge,
  xpending: pending,
  'xinfo|stream': streamInfo,
  'xinfo|groups'(client, args) {
    const stream = client.stream(args[2] as string) ?? fail('ERR no such key')
    return sortedByName(stream.groups).map(groupInfo(stream))
  },
  'xinfo|consumers'(client, args) {
    const [, , key = '', name = ''] = args
    const group = groupOf(client.stream(key) ?? fail('ERR no such key'), name, key)
    return sortedByName(group.consumers)
      .map(([, one]) => one)
      .map(
        ({ name: own, pending: theirs, seenMs, activeMs }) =>
          new MapReply([
            'name',
            own,
            'pending',
            theirs.size,
            'idle',
            client.now - seenMs,
            'inactive',
            activeMs < 0 ? -1 : client.now - activeMs,
          ]),
      )
  },
}
