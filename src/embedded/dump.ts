import type { Engine } from './contracts.ts'
import { type Library, libraryText, readLibrary, readRows } from './function-library.ts'
import { dumpJson, loadJson } from './json-text.ts'
import { type Int, parseInt64 } from './numbers.ts'
import { SortedMap } from './sorted-map.ts'
import { SortedSet } from './sorted-set.ts'
import { createGroup, formatId, MAX_ID, MIN_ID, parseId, Stream } from './stream.ts'
import { Hash, Json, List, MemberSet, type Value } from './values.ts'

/** A value in a form that JSON can hold. Strings have one unit a byte. */
export type Dumped = readonly [type: string, ...parts: unknown[]]
/** Rows of keys and of libraries of functions. Libraries have the database −1, so that a reader without them skips those rows. */
export type EngineDump = readonly (readonly [database: number, key: string, endMs: number | null, value: Dumped])[]

const LIBRARIES = -1

/** JSON numbers are exact up to 53 bits. Larger ones are written as text. */
const whole = (value: Int): number | string => (typeof value === 'number' ? value : `${value}`)
const number = (value: number): number | string => (Number.isFinite(value) ? value : `${value}`)

function dumpStream(stream: Stream): Dumped {
  const entries = [...stream.range(MIN_ID, MAX_ID)].map(([id, fields]) => [formatId(id), ...fields])
  const groups = [...stream.groups].map(([name, group]) => ({
    name,
    last: formatId(group.lastId),
    read: group.entriesRead === undefined ? null : whole(group.entriesRead),
    consumers: [...group.consumers.values()].map(({ name: own, seenMs, activeMs }) => [own, seenMs, activeMs]),
    pending: [...group.pending.range(MIN_ID, MAX_ID)].map(([id, one]) => [
      formatId(id),
      one.consumer.name,
      one.deliveredMs,
      one.count,
    ]),
  }))
  return ['x', entries, formatId(stream.lastId), formatId(stream.maxDeletedId), whole(stream.entriesAdded), groups]
}

export function dumpValue(value: Value): Dumped {
  if (typeof value === 'string') return ['s', value]
  if (value instanceof Hash)
    return ['h', value.names.map((name, i) => [name, value.values[i], value.ends?.get(name) ?? null])]
  if (value instanceof List) return ['l', value.toArray()]
  if (value instanceof SortedSet) return ['z', value.names.map((name, i) => [name, number(value.values[i] as number)])]
  if (value instanceof MemberSet) return ['t', [...value.names]]
  if (value instanceof Stream) return dumpStream(value)
  return ['j', dumpJson(value.root)]
}

interface GroupDump {
  readonly name: string
  readonly last: string
  readonly read: number | string | null
  readonly consumers: readonly (readonly [string, number, number])[]
  readonly pending: readonly (readonly [string, string, number, number])[]
}

const loadWhole = (part: unknown): Int => (typeof part === 'string' ? (parseInt64(part) ?? 0) : (part as number))

function loadStream([, entries, last, deleted, added, groups]: Dumped): Stream {
  const stream = new Stream()
  for (const [id, ...fields] of entries as string[][]) stream.append(parseId(id as string), fields)
  Object.assign(stream, {
    lastId: parseId(last as string),
    maxDeletedId: parseId(deleted as string),
    entriesAdded: loadWhole(added),
  })
  for (const one of groups as GroupDump[]) {
    const group = createGroup(parseId(one.last), one.read === null ? undefined : loadWhole(one.read))
    stream.groups.set(one.name, group)
    for (const [name, seenMs, activeMs] of one.consumers)
      group.consumers.set(name, { name, seenMs, activeMs, pending: new SortedMap() })
    for (const [id, name, deliveredMs, count] of one.pending) {
      const consumer = group.consumers.get(name)
      if (!consumer) continue
      const pending = { consumer, deliveredMs, count }
      group.pending.set(parseId(id), pending)
      consumer.pending.set(parseId(id), pending)
    }
  }
  return stream
}

export function loadValue(dumped: Dumped): Value {
  const [type, part] = dumped
  if (type === 's') return part as string
  if (type === 'l') {
    const list = new List()
    list.replace(part as string[])
    return list
  }
  if (type === 't') {
    const set = new MemberSet()
    for (const name of part as string[]) set.set(name, true)
    return set
  }
  if (type === 'z') {
    const sorted = new SortedSet()
    for (const [name, score] of part as [string, number | string][]) sorted.put(name, Number(score))
    return sorted
  }
  if (type === 'h') {
    const hash = new Hash()
    for (const [name, value] of part as [string, string][]) hash.set(name, value)
    return hash
  }
  return type === 'x' ? loadStream(dumped) : new Json(loadJson(part as string))
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the range is that of bytes
const isText = (part: unknown): part is string => typeof part === 'string' && /^[\x00-\xff]*$/.test(part)
const isCount = (part: unknown): boolean => Number.isSafeInteger(part)
const isWhole = (part: unknown): boolean =>
  isCount(part) || (typeof part === 'string' && parseInt64(part) !== undefined)
const isRow = (row: unknown, ...tests: ((part: unknown) => boolean)[]): boolean =>
  Array.isArray(row) && row.length === tests.length && tests.every((test, i) => test(row[i]))
const isList = (part: unknown, test: (item: unknown) => boolean): boolean => Array.isArray(part) && part.every(test)
const isScore = (part: unknown): boolean =>
  typeof part === 'number' ? Number.isFinite(part) : part === 'Infinity' || part === '-Infinity'

const isGroup = (part: unknown): boolean => {
  const { name, last, read, consumers, pending } = (part ?? {}) as Record<string, unknown>
  return (
    isText(name) &&
    isText(last) &&
    (read === null || isWhole(read)) &&
    isList(consumers, (row) => isRow(row, isText, isCount, isCount)) &&
    isList(pending, (row) => isRow(row, isText, isText, isCount, isCount))
  )
}

/** Whether foreign data has the form that `dumpValue` returns. Any other form would break its readers later. */
export function isDumped(dumped: unknown): dumped is Dumped {
  if (!Array.isArray(dumped)) return false
  const [type, part, last, deleted, added, groups] = dumped as unknown[]
  if (type === 's' || type === 'j') return isText(part)
  if (type === 'x') {
    const isEntry = (row: unknown): boolean => isList(row, isText) && (row as string[]).length % 2 === 1
    return isList(part, isEntry) && isText(last) && isText(deleted) && isWhole(added) && isList(groups, isGroup)
  }
  if (!Array.isArray(part) || part.length === 0) return false
  if (type === 'l' || type === 't') return isList(part, isText)
  if (type === 'z') return isList(part, (row) => isRow(row, isText, isScore))
  return type === 'h' && isList(part, (row) => isRow(row, isText, isText, (end) => end === null || isCount(end)))
}

const dumpLibrary = ({ name, code, functions }: Library): EngineDump[number] => {
  const rows = [...functions.values()].map((one) => [one.name, one.description ?? null, ...one.flags])
  return [LIBRARIES, name, null, ['f', code, rows]]
}

/** Loads a library. Its list of functions is in the dump, so that no Lua runs at the start. */
function loadLibrary(engine: Engine, [, code, rows]: Dumped): void {
  const { name, body } = readLibrary(code as string)
  const library = { name, code: code as string, text: libraryText(body), functions: readRows(rows) }
  engine.scripts.libraries.set(name, library)
}

/** All keys and libraries of functions of an engine, for a snapshot. */
export function dumpEngine(engine: Engine): EngineDump {
  engine.sweep()
  const keys = engine.databases.flatMap((db) =>
    db.entries.names.map(
      (key, i) => [db.index, key, db.ends.get(key) ?? null, dumpValue(db.entries.values[i] as Value)] as const,
    ),
  )
  return [...[...engine.scripts.libraries.values()].map(dumpLibrary), ...keys]
}

/** Loads a snapshot into an engine. Keys whose end has passed are left out. */
export function loadEngine(engine: Engine, dump: EngineDump): void {
  engine.nowMs = engine.clock()
  for (const [index, key, endMs, dumped] of dump) {
    if (index === LIBRARIES) loadLibrary(engine, dumped)
    const db = engine.databases[index]
    if (!db || (endMs !== null && endMs <= engine.nowMs)) continue
    const value = loadValue(dumped)
    db.entries.set(key, value)
    if (endMs !== null) db.ends.set(key, endMs)
    if (value instanceof Hash) {
      for (const [name, , end] of dumped[1] as [string, string, number | null][]) {
        if (end !== null) db.setFieldEnd(key, value, name, end)
      }
    }
    engine.touched(db, key)
  }
}
