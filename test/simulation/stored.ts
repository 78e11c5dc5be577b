import { type Entry, NO_VALUE, parseEntry } from '../../src/protocol/entry.ts'
import { idOf, type Names } from './facts.ts'
import type { History } from './history.ts'

/** Reads what the store holds now, by the rules of the package. */
export interface Stored {
  /** Returns the namespace of a stored key. */
  namesOf(key: string): Names
  /** Returns the number of the value in a stored text, if there is one. */
  idInText(text: string | undefined): number | undefined
  idIn(entry: Entry | undefined): number | undefined
  /** Returns the entry if its generation and its tag versions are current. */
  valid(text: string | undefined, names: Names): Entry | undefined
  /** As `valid`, for the entry that is stored at a key now. */
  alive(key: string, names: Names): Entry | undefined
  /** Whether every reader sees the entry as fresh, by the store's clock. */
  isLive(text: string | undefined, key: string): boolean
  /**
   * Returns the number of the value that a read would find at `nowMs` of its node's clock; undefined where that is uncertain. A
   * node whose clock jumped (`hasJumped`) misjudges the store's clock until the next reply: then a value with grace is uncertain.
   */
  truth(key: string, names: Names, nowMs: number, hasJumped: boolean): number | undefined
  /** Whether the entry and the versions that a read of the key depends on are unchanged since this moment in history. */
  isStable(key: string, names: Names, from: number): boolean
}

export const parse = (text: string | undefined): Entry | undefined =>
  text === undefined ? undefined : parseEntry(text)

/** Returns the names of an entry's tags. */
export function tagsOf(entry: Entry | undefined): string[] {
  return entry?.tags ? entry.tags.split(',').map((part) => decodeURIComponent(part.split('=')[0] ?? '')) : []
}

export function createStored({ world, server, spaces, plain, changes }: History): Stored {
  const namesOf = (key: string): Names => spaces.find(({ namespace }) => key.startsWith(`${namespace}:`)) as Names
  const idIn = (entry: Entry | undefined): number | undefined => {
    if (entry?.mark !== 'j') return undefined
    return idOf(JSON.parse(entry.payload))
  }
  const idInText = (text: string | undefined): number | undefined =>
    plain ? idOf(JSON.parse(text ?? 'null')) : idIn(parse(text))
  /** Returns the entry if its generation and its tag versions are current. */
  const valid = (text: string | undefined, names: Names): Entry | undefined => {
    const entry = parse(text)
    if (!entry || entry.mark === NO_VALUE || entry.generation !== server().peek(names.generation)) return undefined
    if (entry.tags) {
      for (const part of entry.tags.split(',')) {
        const [tag = '', version] = part.split('=')
        if (server().peek(names.tag(decodeURIComponent(tag))) !== version) return undefined
      }
    }
    return entry
  }
  const alive = (key: string, names: Names): Entry | undefined => valid(server().peek(key), names)
  /** Whether every reader sees the entry as fresh, by the store's clock. */
  const isLive = (text: string | undefined, key: string): boolean => {
    const entry = valid(text, namesOf(key))
    if (!entry) return false
    return entry.freshUntilMs === entry.expiresMs || entry.freshUntilMs > world.time
  }

  const truth: Stored['truth'] = (key, names, nowMs, hasJumped) => {
    if (plain) return server().leftMs(key) > 0 ? idInText(server().peek(key)) : undefined
    const entry = alive(key, names)
    const id = idIn(entry)
    if (!entry || id === undefined || server().leftMs(key) <= 0) return undefined
    const graced = entry.freshUntilMs !== entry.expiresMs
    return graced && (hasJumped || entry.freshUntilMs <= Math.max(nowMs, world.time)) ? undefined : id
  }
  const isStable = (key: string, names: Names, from: number): boolean => {
    const entry = plain ? undefined : alive(key, names)
    const parts = tagsOf(entry).map(names.tag)
    return [key, names.generation, ...parts].every((part) => (changes.get(part) ?? 0) < from)
  }

  return { namesOf, idInText, idIn, valid, alive, isLive, truth, isStable }
}
