import { HitherError } from '../errors.ts'
import { checkCodec, checkNames } from '../protocol/arguments.ts'
import type { Codec } from '../protocol/codec.ts'
import { type Duration, toMs } from '../protocol/duration.ts'
import { checkNamespace } from '../protocol/keys.ts'
import type { Operation } from '../protocol/operation.ts'
import type { AtomicStore, Call } from '../store/store.ts'
import { checkStore } from './check-store.ts'
import { digestOf } from './cookie.ts'
import { takeSession } from './operations.ts'

export interface HashedEntriesOptions {
  readonly store: AtomicStore
  /** Entries of two namespaces are separate. @default 'hither' */
  readonly namespace?: string
  /** Encodes each text for the store, such as `encrypted({ keys })`, and binds it to its entry. @default stored as it is */
  readonly codec?: Codec
  /** Lifetime of an entry that is set without one. @default without end */
  readonly ttl?: Duration
}

/**
 * Texts by secret ids. An id is stored only as its SHA-256, so that a dump of the store reveals no id. For the sessions and
 * tokens of other libraries, which make their own ids.
 */
export interface HashedEntries {
  /** Resolves to undefined when there is no entry, or when the codec cannot read it. */
  get(id: string, call?: Call): Promise<string | undefined>
  /** Replaces the entry if there is one. Never sent twice. @param ttl @default that of `hashedEntries` */
  set(id: string, text: string, ttl?: Duration, call?: Call): Promise<void>
  /** Sets the lifetime of an existing entry; creates none. Resolves to whether there was an entry. */
  touch(id: string, ttl?: Duration, call?: Call): Promise<boolean>
  /** Removes an entry and resolves to its text; of concurrent callers one gets it. A lost reply rejects with `maybeExecuted`. */
  take(id: string, call?: Call): Promise<string | undefined>
  /** Resolves to whether there was an entry. */
  delete(id: string, call?: Call): Promise<boolean>
  /** Adds one to a count, which expires `ttl` after its first call. Resolves to the new count. Never sent twice. */
  count(id: string, ttl: Duration, call?: Call): Promise<number>
}

/**
 * Throws `UNSUPPORTED` for a store without operations or whose reads may be behind its writes; `INVALID_KEY`, `INVALID_ARGUMENT`
 * or `INVALID_DURATION` for options that make no sense.
 */
export function hashedEntries(options: HashedEntriesOptions): HashedEntries {
  checkNames('hashedEntries', options ?? null, ['store', 'namespace', 'codec', 'ttl'])
  const { store, namespace = 'hither', codec, ttl: life } = options
  checkStore(store)
  checkCodec(codec)
  const toLife = (ttl: Duration | undefined): number | undefined => (ttl === undefined ? undefined : toMs(ttl, 'ttl'))
  const lifeMs = toLife(life)
  const space = checkNamespace(namespace)
  const keyOf = (id: string): string => {
    if (typeof id === 'string' && id !== '') return `:${space}:h:${digestOf(id)}`
    throw new HitherError('INVALID_ARGUMENT', 'an id is text that is not empty')
  }
  const open = async (stored: string | null | undefined, key: string): Promise<string | undefined> => {
    if (!codec || typeof stored !== 'string') return stored ?? undefined
    try {
      return stored[0] === codec.mark ? String(await codec.decode(stored.slice(1), key)) : undefined
    } catch {
      return undefined
    }
  }
  return {
    async get(id, call) {
      const key = keyOf(id)
      return open(await store.get(key, call), key)
    },
    async set(id, text, ttl, call) {
      const key = keyOf(id)
      const stored = codec ? codec.mark + (await codec.encode(text, key)) : text
      await store.set(key, stored, toLife(ttl) ?? lifeMs, call)
    },
    touch: async (id, ttl = life as Duration, call) =>
      (await store.run(renewEntry, keyOf(id), [toMs(ttl, 'ttl')], call)) === 1,
    async take(id, call) {
      const key = keyOf(id)
      return open(await store.run(takeSession, key, [], call), key)
    },
    delete: async (id, call) => (await store.delete([keyOf(id)], call)) === 1,
    count: async (id, ttl, call) => store.run(countEntry, keyOf(id), [toMs(ttl, 'ttl')], call),
  }
}

/** Sets the lifetime of an existing entry. Replies 1, or 0 if there is no entry. */
export const renewEntry: Operation<readonly [ttlMs: number], number> = {
  name: 'session.renew',
  // It creates nothing, and a second run only sets the lifetime again.
  effect: 'repeat',
  lua: `return redis.call('PEXPIRE', KEYS[1], ARGV[1])`,
  apply: (current, [ttlMs]) =>
    current === undefined
      ? { next: undefined, ttl: 'keep', reply: 0 }
      : { next: current, ttl: { ms: ttlMs }, reply: 1 },
}

/** Adds one. The first call sets the lifetime. Text that is no count is treated as absent. Replies the new count. */
export const countEntry: Operation<readonly [ttlMs: number], number> = {
  name: 'session.count',
  effect: 'once',
  lua: `
local text = redis.call('GET', KEYS[1]) or ''
if #text < 16 and text:find('^[1-9]%d*$') then return redis.call('INCR', KEYS[1]) end
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
return 1`,
  apply(current = '', [ttlMs]) {
    const count = /^[1-9]\d{0,14}$/.test(current) ? Number(current) + 1 : 1
    return { next: `${count}`, ttl: count === 1 ? { ms: ttlMs } : 'keep', reply: count }
  },
}
