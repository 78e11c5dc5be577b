import { parseInt64 } from './numbers.ts'
import { SortedMap } from './sorted-map.ts'
import { SortedSet } from './sorted-set.ts'
import { createGroup, Stream } from './stream.ts'
import { Hash, Json, type JsonData, List, MemberSet, type Value } from './values.ts'

/** The reply of TYPE. */
export function typeOf(value: Value): string {
  if (typeof value === 'string') return 'string'
  if (value instanceof Hash) return 'hash'
  if (value instanceof List) return 'list'
  if (value instanceof SortedSet) return 'zset'
  if (value instanceof MemberSet) return 'set'
  if (value instanceof Stream) return 'stream'
  return 'ReJSON-RL'
}

const isShort = (text: string): boolean => text.length <= 64

/** The reply of OBJECT ENCODING: in most cases what Redis would choose for the same contents. */
export function encodingOf(value: Value): string {
  if (typeof value === 'string') {
    if (parseInt64(value) !== undefined) return 'int'
    return value.length <= 44 ? 'embstr' : 'raw'
  }
  if (value instanceof Hash) {
    const small = value.size <= 128 && value.names.every(isShort) && value.values.every(isShort)
    return small ? (value.ends ? 'listpackex' : 'listpack') : 'hashtable'
  }
  if (value instanceof List) return value.bytes + value.size * 2 < 8192 ? 'listpack' : 'quicklist'
  if (value instanceof SortedSet) return value.size <= 128 && value.names.every(isShort) ? 'listpack' : 'skiplist'
  if (value instanceof MemberSet) {
    if (value.size <= 512 && value.names.every((name) => parseInt64(name) !== undefined)) return 'intset'
    return value.size <= 128 && value.names.every(isShort) ? 'listpack' : 'hashtable'
  }
  return value instanceof Stream ? 'stream' : 'raw'
}

export const copyJson = (data: JsonData): JsonData => {
  if (Array.isArray(data)) return data.map(copyJson)
  if (data instanceof Map) return new Map([...data].map(([name, value]) => [name, copyJson(value)]))
  return data
}

function copyStream(value: Stream): Stream {
  const stream = new Stream()
  for (const [id, fields] of value.range('', '\xff'.repeat(17))) stream.append(id, fields)
  Object.assign(stream, { lastId: value.lastId, maxDeletedId: value.maxDeletedId, entriesAdded: value.entriesAdded })
  for (const [name, group] of value.groups) {
    const copied = createGroup(group.lastId, group.entriesRead)
    stream.groups.set(name, copied)
    for (const consumer of group.consumers.values()) {
      const { name: consumerName, seenMs, activeMs } = consumer
      const other = { name: consumerName, seenMs, activeMs, pending: new SortedMap<never>() }
      copied.consumers.set(consumerName, other)
    }
    for (const [id, pending] of group.pending.range('', '\xff'.repeat(17))) {
      const consumer = copied.consumers.get(pending.consumer.name) as typeof pending.consumer
      const own = { ...pending, consumer }
      copied.pending.set(id, own)
      consumer.pending.set(id, own)
    }
  }
  return stream
}

/** An independent copy of a value. */
export function copyOf(value: Value): Value {
  if (typeof value === 'string') return value
  if (value instanceof List) {
    const list = new List()
    list.replace(value.toArray())
    return list
  }
  if (value instanceof SortedSet) {
    const sorted = new SortedSet()
    for (const name of value.names) sorted.put(name, value.get(name) as number)
    return sorted
  }
  if (value instanceof Hash) {
    const hash = new Hash()
    for (const name of value.names) hash.set(name, value.get(name) as string)
    if (value.ends) hash.ends = new Map(value.ends)
    hash.nextEndMs = value.nextEndMs
    return hash
  }
  if (value instanceof MemberSet) {
    const set = new MemberSet()
    for (const name of value.names) set.set(name, true)
    return set
  }
  if (value instanceof Stream) return copyStream(value)
  return new Json(copyJson(value.root))
}
