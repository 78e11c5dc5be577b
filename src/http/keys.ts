import { digest } from '../protocol/digest.ts'

/** Most segments of the prefix in `purge({ prefix })`. */
export const MAX_SEGMENTS = 8
/** Most results of `digest` that are remembered. */
const MAX_KNOWN = 10_000
/** Longer names are not remembered and are hashed each time, since the requests decide how long they are. */
export const MAX_KNOWN_LENGTH = 2048

/** The stored keys of a namespace. Each name is hashed with its kind, so that keys have one length and no two names share one. */
export interface Keys {
  /** The namespace for the near tier. It has a `!`, which no namespace of a cache has. */
  readonly space: string
  readonly generation: string
  /** The record of a URL. `extra`: the further part that a rule adds. */
  record(origin: string, target: string, extra: string): Promise<string>
  /** The No-Vary-Search rule of a path's responses. */
  queryRule(origin: string, path: string, extra: string): Promise<string>
  /** The version of a tag. */
  tag(name: string): Promise<string>
  /** The version of a group, which belongs to one origin. */
  group(origin: string, name: string): Promise<string>
  /** The version of a path. A response is stored under this version and under those of `prefixes`. */
  path(origin: string, path: string): Promise<string>
  /** The versions of all prefixes of a path. */
  prefixes(origin: string, path: string): Promise<string[]>
  prefix(origin: string, prefix: string): Promise<string>
  /** A chunk of a body. */
  chunk(id: string, index: number): string
}

export function createKeys(namespace: string): Keys {
  const space = `${namespace}!`
  const known = new Map<string, Promise<string>>()
  const hashed = (...parts: readonly string[]): Promise<string> => {
    const name = JSON.stringify(parts)
    let found = known.get(name)
    if (!found) {
      if (known.size >= MAX_KNOWN) known.clear()
      found = digest(name)
      if (name.length < MAX_KNOWN_LENGTH) known.set(name, found)
    }
    return found
  }
  const version = async (...parts: readonly string[]): Promise<string> => `:${space}:t:${await hashed(...parts)}`
  const keys: Keys = {
    space,
    generation: `:${space}:g`,
    record: async (origin, target, extra) => `${space}:${await hashed('record', origin, target, extra)}`,
    queryRule: async (origin, path, extra) => `${space}:${await hashed('query', origin, path, extra)}`,
    tag: (name) => version('tag', name),
    group: (origin, name) => version('group', origin, name),
    path: (origin, path) => version('path', origin, path),
    prefixes: (origin, path) => Promise.all(prefixesOf(path).map((prefix) => version('prefix', origin, prefix))),
    prefix: (origin, prefix) => version('prefix', origin, prefix),
    chunk: (id, index) => `${space}:b:${id}:${index}`,
  }
  return keys
}

/** The prefixes of a path by whole segments, up to eight: `/a/b/c` → `/`, `/a/`, `/a/b/`, `/a/b/c/`. */
export function prefixesOf(path: string): string[] {
  const segments = path.split('/').filter((segment, i) => i > 0 && segment !== '')
  return [...Array(Math.min(segments.length, MAX_SEGMENTS) + 1).keys()].map((count) =>
    count === 0 ? '/' : `/${segments.slice(0, count).join('/')}/`,
  )
}
