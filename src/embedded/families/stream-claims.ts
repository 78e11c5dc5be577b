import type { Client, Family } from '../contracts.ts'
import { int, parseUint64 } from '../numbers.ts'
import { fail, quoting, type Reply } from '../reply.ts'
import { formatId, type Group, MAX_ID, MIN_ID, type Pending, parseId, type StreamId } from '../stream.ts'
import { consumerOf } from './stream-reads.ts'
import { entry, rangeEnd } from './streams.ts'
import { SYNTAX } from './strings.ts'

const isId = (text: string): boolean =>
  text.split('-', 3).length < 3 && text.split('-').every((part) => parseUint64(part) !== undefined)

/** Gives an entry to another consumer. */
function hand(group: Group, id: StreamId, pending: Pending): void {
  group.pending.get(id)?.consumer.pending.delete(id)
  group.pending.set(id, pending)
  pending.consumer.pending.set(id, pending)
}

function forget(group: Group, id: StreamId): void {
  group.pending.get(id)?.consumer.pending.delete(id)
  group.pending.delete(id)
}

function claim(client: Client, args: readonly string[]): Reply {
  const [, key = '', name = '', owner = '', idle] = args
  const stream = client.stream(key)
  const group = stream?.groups.get(name)
  if (!stream || !group) return fail(quoting`NOGROUP No such key '${key}' or consumer group '${name}'`)
  const minIdleMs = Math.max(0, int(idle, 'ERR Invalid min-idle-time argument for XCLAIM'))
  let at = 5
  const ids: StreamId[] = []
  for (; at < args.length && isId(args[at] as string); at++) ids.push(parseId(args[at] as string, 0n, true))
  let deliveredMs: number | undefined
  let count: number | undefined
  let force = false
  let justId = false
  let lastId: StreamId | undefined
  for (; at < args.length; at++) {
    const word = (args[at] as string).toUpperCase()
    const more = at + 1 < args.length
    if (word === 'FORCE') force = true
    else if (word === 'JUSTID') justId = true
    else if (word === 'IDLE' && more)
      deliveredMs = client.now - int(args[++at], 'ERR Invalid IDLE option argument for XCLAIM')
    else if (word === 'TIME' && more) deliveredMs = int(args[++at], 'ERR Invalid TIME option argument for XCLAIM')
    else if (word === 'RETRYCOUNT' && more) {
      count = int(args[++at], 'ERR Invalid RETRYCOUNT option argument for XCLAIM')
    } else if (word === 'LASTID' && more) lastId = parseId(args[++at] as string, 0n, true)
    else fail(quoting`ERR Unrecognized XCLAIM option '${args[at]}'`)
  }
  if (deliveredMs !== undefined && (deliveredMs < 0 || deliveredMs > client.now)) deliveredMs = client.now
  if (lastId !== undefined && lastId > group.lastId) group.lastId = lastId
  const consumer = consumerOf(client, group, owner, key)
  consumer.seenMs = client.now
  const found: Reply[] = []
  for (const id of ids) {
    const fields = stream.get(id)
    const old = group.pending.get(id)
    if (!fields) {
      if (old) forget(group, id)
      continue
    }
    if (!old && !force) continue
    if (old && client.now - old.deliveredMs < minIdleMs) continue
    const deliveries = count ?? (old?.count ?? 0) + (justId ? 0 : 1)
    hand(group, id, { consumer, deliveredMs: deliveredMs ?? client.now, count: deliveries })
    consumer.activeMs = client.now
    found.push(justId ? formatId(id) : entry(id, fields))
    client.engine.metadataChanged(client.db, key)
  }
  return found
}

function autoClaim(client: Client, args: readonly string[]): Reply {
  const [, key = '', name = '', owner = '', idle, start = ''] = args
  const minIdleMs = Math.max(0, int(idle, 'ERR Invalid min-idle-time argument for XAUTOCLAIM'))
  const from = rangeEnd(start, false)
  let count = 100
  let justId = false
  for (let i = 6; i < args.length; i++) {
    const word = (args[i] as string).toUpperCase()
    if (word === 'COUNT' && i + 1 < args.length) {
      count = int(args[++i], 'ERR COUNT must be > 0')
      if (count < 1 || count > 2 ** 59) fail('ERR COUNT must be > 0')
    } else if (word === 'JUSTID') justId = true
    else fail(SYNTAX)
  }
  const stream = client.stream(key)
  const group = stream?.groups.get(name)
  if (!stream || !group) return fail(quoting`NOGROUP No such key '${key}' or consumer group '${name}'`)
  const consumer = consumerOf(client, group, owner, key)
  consumer.seenMs = client.now
  const found: Reply[] = []
  const deleted: string[] = []
  let attempts = count * 10
  let next: StreamId = MIN_ID
  for (const [id, one] of [...group.pending.range(from, MAX_ID)]) {
    if (attempts-- <= 0 || count <= 0) {
      next = id
      break
    }
    const fields = stream.get(id)
    if (!fields) {
      forget(group, id)
      deleted.push(formatId(id))
      count--
      continue
    }
    if (client.now - one.deliveredMs < minIdleMs) continue
    hand(group, id, { consumer, deliveredMs: client.now, count: one.count + (justId ? 0 : 1) })
    consumer.activeMs = client.now
    found.push(justId ? formatId(id) : entry(id, fields))
    count--
    client.engine.metadataChanged(client.db, key)
  }
  return [formatId(next), found, deleted]
}

/** Commands that take over entries from a consumer that has failed. */
export const streamClaims: Family = { xclaim: claim, xautoclaim: autoClaim }
