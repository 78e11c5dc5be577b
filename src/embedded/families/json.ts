import type { Client, Family } from '../contracts.ts'
import { checkRoom, outermost, putAt, removeAt, writeJson } from '../json-document.ts'
import { findPlaces, type JsonPath, type Place, parsePath, valueAt } from '../json-path.ts'
import { type Layout, loadJson } from '../json-text.ts'
import { copyJson } from '../kinds.ts'
import { fail, OK, type Reply } from '../reply.ts'
import { Json, type JsonData } from '../values.ts'
import { SYNTAX } from './strings.ts'

const NEW_AT_ROOT = 'ERR new objects must be created at the root'

/** Places for a new value: in each object that the path without its last name finds. Throws error replies. */
function newPlaces(root: JsonData, { steps }: JsonPath): Place[] {
  const last = steps.at(-1)?.only
  if (last === undefined) return fail('ERR Err: wrong static path')
  if (typeof last === 'number') return fail('ERR array index out of range')
  return findPlaces(root, steps.slice(0, -1))
    .filter((place) => valueAt(root, place) instanceof Map)
    .map((place) => [...place, last])
}

function putEach(doc: Json, places: readonly Place[], value: JsonData): void {
  checkRoom(places, value)
  outermost(places).forEach((place, i) => {
    putAt(doc, place, i === 0 ? value : copyJson(value))
  })
}

interface Write {
  readonly key: string
  readonly path: string
  readonly value: JsonData
  readonly mode?: 'NX' | 'XX' | undefined
}

/** Writes a value. Returns whether anything was written. */
function write(client: Client, { key, path: text, value, mode }: Write): boolean {
  const path = parsePath(text)
  const doc = client.json(key)
  if (!doc) {
    if (path.steps.length > 0) fail(NEW_AT_ROOT)
    if (mode === 'XX') return false
    client.put(key, new Json(value))
    return true
  }
  const found = findPlaces(doc.root, path.steps)
  if (found.length > 0 ? mode === 'NX' : mode === 'XX') return false
  const places = found.length > 0 ? found : newPlaces(doc.root, path)
  putEach(doc, places, value)
  return places.length > 0
}

function set(client: Client, args: readonly string[]): Reply {
  const [, key = '', path = '', text = ''] = args
  let mode: 'NX' | 'XX' | undefined
  for (let i = 4; i < args.length; i++) {
    const word = args[i]?.toUpperCase()
    if ((word === 'NX' || word === 'XX') && !mode) mode = word
    else if (word !== 'FORMAT' || args[++i]?.toUpperCase() !== 'JSON') fail(SYNTAX)
  }
  if (!write(client, { key, path, value: loadJson(text), mode })) return null
  client.changed(key, 'd', 'json.set')
  return OK
}

function setMany(client: Client, args: readonly string[]): Reply {
  if (args.length % 3 !== 1) fail("ERR wrong number of arguments for 'json.mset' command")
  const writes: Write[] = []
  for (let i = 1; i < args.length; i += 3) {
    const [key, path] = [args[i] as string, args[i + 1] as string]
    writes.push({ key, path, value: loadJson(args[i + 2] as string) })
    const { steps } = parsePath(path)
    const doc = client.json(key)
    // Checked before the first write, so that either all are written or none.
    if (!doc && steps.length > 0) fail(NEW_AT_ROOT)
    if (doc && findPlaces(doc.root, steps).length === 0) newPlaces(doc.root, parsePath(path))
  }
  for (const one of writes) if (write(client, one)) client.changed(one.key, 'd', 'json.mset')
  return OK
}

function readLayout(args: readonly string[]): { readonly layout: Layout; readonly paths: readonly JsonPath[] } {
  const layout = { indent: '', newline: '', space: '' }
  const paths: JsonPath[] = []
  for (let i = 2; i < args.length; i++) {
    const word = (args[i] as string).toLowerCase()
    if (word === 'noescape') continue
    if (word === 'indent' || word === 'newline' || word === 'space') layout[word] = args[++i] ?? fail(SYNTAX)
    else if (word === 'format') {
      if (args[++i]?.toUpperCase() !== 'STRING') fail(SYNTAX)
    } else paths.push(parsePath(args[i] as string))
  }
  return { layout, paths: paths.length > 0 ? paths : [parsePath('.')] }
}

const valuesAt = (root: JsonData, path: JsonPath): JsonData[] =>
  findPlaces(root, path.steps).map((place) => valueAt(root, place) as JsonData)

function get(client: Client, args: readonly string[]): Reply {
  const { layout, paths } = readLayout(args)
  const doc = client.json(args[1] as string)
  if (!doc) return null
  const isLegacy = paths.every((path) => path.isLegacy)
  const read = (path: JsonPath): JsonData => {
    const values = valuesAt(doc.root, path)
    if (!isLegacy) return values
    const [first] = values
    return first === undefined ? fail(`ERR Path '${path.text}' does not exist`) : first
  }
  if (paths.length === 1) return writeJson(read(paths[0] as JsonPath), layout)
  return writeJson(new Map(paths.map((path) => [path.given, read(path)])), layout)
}

function getMany(client: Client, args: readonly string[]): Reply {
  const path = parsePath(args.at(-1) as string)
  return args.slice(1, -1).map((key) => {
    const doc = client.find(key)
    if (!(doc instanceof Json)) return null
    const values = valuesAt(doc.root, path)
    if (!path.isLegacy) return writeJson(values)
    return values[0] === undefined ? null : writeJson(values[0])
  })
}

function remove(client: Client, [, key = '', text = '.']: readonly string[]): Reply {
  const path = parsePath(text)
  const doc = client.json(key)
  if (!doc) return 0
  if (path.steps.length === 0) {
    client.remove(key)
    client.changed(key, 'g', 'del')
    return 1
  }
  const count = removeAt(doc, findPlaces(doc.root, path.steps))
  if (count > 0) client.changed(key, 'd', 'json.del')
  return count
}

/** RFC 7396: null deletes, objects are merged, anything else replaces. */
function merged(target: JsonData | undefined, patch: JsonData): JsonData {
  if (!(patch instanceof Map)) return copyJson(patch)
  const result = new Map(target instanceof Map ? target : [])
  for (const [name, item] of patch) {
    if (item === null) result.delete(name)
    else result.set(name, merged(result.get(name), item))
  }
  return result
}

function merge(client: Client, args: readonly string[]): Reply {
  const [, key = '', text = '', patchText = ''] = args
  const patch = loadJson(patchText)
  const doc = client.json(key)
  const places = doc ? findPlaces(doc.root, parsePath(text).steps) : []
  if (!doc || places.length === 0) {
    if (!write(client, { key, path: text, value: patch })) return null
  } else if (patch === null) {
    remove(client, args)
    return OK
  } else {
    checkRoom(places, patch)
    for (const place of places) {
      const old = valueAt(doc.root, place)
      if (old !== undefined) putAt(doc, place, merged(old, patch))
    }
  }
  client.changed(key, 'd', 'json.merge')
  return OK
}

export const json: Family = {
  'json.set': set,
  'json.mset': setMany,
  'json.get': get,
  'json.mget': getMany,
  'json.del': remove,
  'json.forget': remove,
  'json.merge': merge,
}
