import { HitherError } from '../errors.ts'
import { encodeJson } from '../protocol/codec.ts'
import { toMs } from '../protocol/duration.ts'
import { type Entry, isFresh, NONE } from '../protocol/entry.ts'
import { checkNamespace, storedKey } from '../protocol/keys.ts'
import type { Reply } from '../protocol/operation.ts'
import { now } from '../runtime/clock.ts'
import { checkLimit, type Limit, within } from '../runtime/deadline.ts'
import { randomId } from '../runtime/random.ts'
import { checkKeys } from '../store/checks.ts'
import { type Coded, type Core, checkNames, createCore, hasValue, invalid, isOutage, type Life } from './core.ts'
import { createLoads, type Loads } from './load.ts'
import type {
  Cache,
  CacheEntry,
  CacheOptions,
  CallOptions,
  Frozen,
  GetOrSetOptions,
  Loader,
  PlainCache,
  PlainCacheOptions,
  SetOptions,
  ViewOptions,
} from './types.ts'

/**
 * A cache over a store. Throws at once for options that make no sense: `INVALID_ARGUMENT`, `INVALID_DURATION`,
 * `INVALID_KEY` (a namespace); it sends nothing.
 */
export function createCache(options: PlainCacheOptions): PlainCache
export function createCache(options: CacheOptions): Cache
export function createCache(options: CacheOptions | PlainCacheOptions): PlainCache {
  const core = createCore(options)
  const namespace = core.plain ? '' : checkNamespace((options as CacheOptions).namespace ?? 'hither')
  const { waitUntil } = options
  return view(core, createLoads(core), namespace, { waitUntil })
}

const CALL = { signal: 1, deadline: 1 } as const
const SET: { readonly [K in keyof SetOptions]-?: 1 | 2 } = { ...CALL, ttl: 1, grace: 2 }
const VIEW: { readonly [K in keyof ViewOptions]-?: 1 } = { ...CALL, waitUntil: 1 }
const LOAD: { readonly [K in keyof GetOrSetOptions]-?: 1 | 2 } = { ...SET, hardTimeout: 1 }

function view(core: Core, loads: Loads, namespace: string, request: ViewOptions): Cache {
  const { plain, store, stats } = core
  const emit = core.emitter(namespace)
  const stored = (key: string): string => (plain ? key : storedKey(namespace, key))

  /** Checks a call's options; throws what ends it before it begins. */
  const limitOf = (options: CallOptions | undefined, known: Readonly<Record<string, number>> = CALL): Limit => {
    checkNames('this call', options, known, plain)
    const deadlines = [options?.deadline, request.deadline].filter((deadline) => deadline !== undefined)
    const limit = {
      signals: [options?.signal, request.signal].filter((signal) => signal !== undefined),
      deadline: deadlines.length > 0 ? Math.min(...deadlines) : undefined,
    }
    checkLimit(limit)
    return limit
  }
  /** The store's answer to one call; a failure of the store is counted and told. */
  const ask = <T>(answer: Promise<T>, limit: Limit): Promise<T> => {
    const told = answer.catch((error: unknown) => {
      core.isFault(error, emit)
      throw error
    })
    return within(told, limit)
  }

  /** The value of a fresh entry, in a box; undefined for a miss. */
  const open = async (
    to: string,
    entry: Entry | undefined,
    status: 'hit' | 'stale' = 'hit',
    live = false,
  ): Promise<{ value: unknown } | undefined> => {
    if (hasValue(entry) && (live || status === 'stale' || isFresh(entry, now()))) {
      try {
        const value = await core.decode(entry, to)
        stats[status === 'hit' ? 'hits' : 'stale']++
        emit({ type: status })
        return { value }
      } catch {
        emit({ type: 'decode-failed' })
      }
    }
    if (status === 'hit') {
      stats.misses++
      emit({ type: 'miss' })
    }
    return undefined
  }

  const put = async (verb: 'set' | 'add', to: string, coded: Coded, life: Life, limit: Limit): Promise<Reply> => {
    if (verb === 'set') for (let filling = loads.detach(to); filling; filling = loads.detach(to)) await filling
    return ask(core.write(verb, to, coded, life, core.call(limit)), limit)
  }
  const write = async (verb: 'set' | 'add', key: string, value: unknown, options?: SetOptions): Promise<Reply> => {
    const limit = limitOf(options, SET)
    const to = stored(key)
    const life = core.life(options)
    const coded = core.encode(value, to)
    return put(verb, to, coded instanceof Promise ? await coded : coded, life, limit)
  }
  const increment = async (key: string, by: number, sign: 1 | -1, options?: SetOptions): Promise<number> => {
    const limit = limitOf(options, SET)
    if (!Number.isSafeInteger(by)) throw invalid('increment takes a whole number')
    const { freshMs, lifeMs } = core.life({ ...options, grace: 0 })
    const args = ['increment', '', randomId(), plain ? lifeMs : freshMs, by * sign, NONE]
    const reply = await ask(core.step('once', stored(key), args, core.call(limit)), limit)
    if (reply === 'WRONG_TYPE') throw new HitherError(reply, 'the key holds something other than a counter')
    if (reply === 'OVERFLOW') throw new HitherError(reply, 'the counter would leave the range of exact whole numbers')
    return Number(reply)
  }

  const getOrSet = async <T>(key: string, loader: Loader<T>, options?: GetOrSetOptions): Promise<Frozen<T>> => {
    const limit = limitOf(options, LOAD)
    const to = stored(key)
    const life = core.life(options)
    const hardMs = options?.hardTimeout === undefined ? core.hardTimeoutMs : toMs(options.hardTimeout, 'hardTimeout')
    let liveId = ''
    for (;;) {
      let seen: Entry | undefined | 'away'
      try {
        seen = await ask(core.read(to), limit)
      } catch (error) {
        checkLimit(limit)
        if (!isOutage(error)) throw error
        seen = 'away'
      }
      const entry = seen === 'away' ? undefined : seen
      const live = entry !== undefined && (entry.id === liveId || isFresh(entry, now()))
      const hit = await open(to, entry, 'hit', live)
      if (hit) return hit.value as Frozen<T>
      // Live and yet no hit: it could not be decoded, so the lease treats it as gone.
      const dead = live ? entry.id : ''
      const { waitUntil } = request
      const load = loads.enter({ stored: to, key, loader, life, hardMs, emit, waitUntil, seen, dead })
      try {
        const coded = await within(load.result, limit)
        if (coded && 'liveId' in coded) {
          liveId = coded.liveId
          continue
        }
        return (coded && (await core.decode(coded, to))) as Frozen<T>
      } catch (error) {
        checkLimit(limit)
        const stale = entry && entry.expiresMs > now() && !dead ? await open(to, entry, 'stale') : undefined
        if (stale) return stale.value as Frozen<T>
        throw error
      } finally {
        loads.leave(load)
      }
    }
  }

  const cache: Cache = {
    async get<T>(key: string, options?: CallOptions) {
      const limit = limitOf(options)
      return (await open(stored(key), await ask(core.read(stored(key)), limit)))?.value as Frozen<T> | undefined
    },
    async getMany<T>(keys: readonly string[], options?: CallOptions) {
      const limit = limitOf(options)
      const texts = await ask(store.getMany(keys.map(stored), core.call(limit)), limit)
      const found = new Map<string, Frozen<T>>()
      for (const [i, text] of texts.entries()) {
        const hit = await open(stored(keys[i] as string), core.parse(text))
        if (hit) found.set(keys[i] as string, hit.value as Frozen<T>)
      }
      return found
    },
    getOrSet,
    async set(key, value, options) {
      await write('set', key, value, options)
    },
    async setMany(entries, options) {
      const limit = limitOf(options, SET)
      const pairs = [...entries]
      // Nothing is written when one of them cannot be.
      checkKeys(
        pairs.map(([key]) => stored(key)),
        store.traits,
      )
      const coded = pairs.map(([key, value]) => core.encode(value, stored(key)))
      const ready = coded.some((each) => each instanceof Promise) ? await Promise.all(coded) : (coded as Coded[])
      const life = core.life(options)
      const outcomes = pairs.map(([key], i) => put('set', stored(key), ready[i] as Coded, life, limit))
      for (const outcome of await Promise.allSettled(outcomes)) if (outcome.status === 'rejected') throw outcome.reason
    },
    async add(key, value, options) {
      return (await write('add', key, value, options)) === 1
    },
    async has(key, options) {
      const limit = limitOf(options)
      const entry = await ask(core.read(stored(key)), limit)
      return entry !== undefined && isFresh(entry, now())
    },
    async ttl(key, options) {
      const limit = limitOf(options)
      const left = (await ask(core.step('read', stored(key), ['ttl', ''], core.call(limit)), limit)) as number | null
      return left === null ? undefined : left < 0 ? Number.POSITIVE_INFINITY : left
    },
    async touch(key, options) {
      const limit = limitOf(options, SET)
      const { freshMs, lifeMs } = core.life(options)
      const args = ['touch', '', freshMs, lifeMs]
      return (await ask(core.step('once', stored(key), args, core.call(limit)), limit)) === 1
    },
    async take<T>(key: string, options?: CallOptions) {
      const limit = limitOf(options)
      const text: Reply = await ask(core.step('once', stored(key), ['take', ''], core.call(limit)), limit)
      // Fresh by the store's clock: it is gone from there.
      const taken = await open(stored(key), core.parse((text ?? undefined) as string | undefined), 'hit', true)
      return taken?.value as Frozen<T> | undefined
    },
    async delete(keys, options) {
      const limit = limitOf(options)
      const list = (typeof keys === 'string' ? [keys] : keys).map(stored)
      // A load may have begun while another's write was awaited.
      const detach = (): unknown[] => list.map(loads.detach).filter((filling) => filling !== undefined)
      for (let fillings = detach(); fillings.length > 0; fillings = detach()) await Promise.all(fillings)
      return ask(core.remove(list, core.call(limit)), limit)
    },
    increment: (key, by = 1, options) => increment(key, by, 1, options),
    decrement: (key, by = 1, options) => increment(key, by, -1, options),
    wrap(fn, { name, key, ...options }) {
      if (typeof name !== 'string' || name === '') throw invalid('wrap needs a name: a minifier renames functions')
      return async (...args) => {
        // A signal that is passed last makes no difference, be there one or not.
        const plainly = args.findLastIndex((arg) => arg !== undefined && !(arg instanceof AbortSignal)) + 1
        const own = key ? key(...(args as never)) : encodeJson(args.slice(0, plainly), true).payload
        return getOrSet(`${name}:${own}`, () => fn(...args), options)
      }
    },
    async getEntry<T>(key: string, options?: CallOptions): Promise<CacheEntry<T>> {
      const limit = limitOf(options)
      const to = stored(key)
      const left = plain ? ask(core.step('read', to, ['ttl', ''], core.call(limit)), limit) : undefined
      const [entry, leftMs] = await Promise.all([ask(core.read(to), limit), left as Promise<number | null> | undefined])
      const at = now()
      const fresh = entry !== undefined && isFresh(entry, at)
      if (!hasValue(entry) || !(fresh || entry.expiresMs > at)) return absent(key)
      let value: unknown
      try {
        value = await core.decode(entry, to)
      } catch {
        emit({ type: 'decode-failed' })
        return absent(key)
      }
      const endMs = plain
        ? leftMs != null && leftMs >= 0
          ? leftMs
          : Number.POSITIVE_INFINITY
        : entry.freshUntilMs - at
      return {
        key,
        status: fresh ? 'fresh' : 'stale',
        value: value as Frozen<T>,
        age: plain ? 0 : Math.max(0, at - entry.writtenMs),
        ttl: fresh ? Math.max(0, endMs) : 0,
        loadTime: entry.loadMs,
      }
    },
    with(options) {
      checkNames('with', options, VIEW, plain)
      return view(core, loads, namespace, { ...request, ...options })
    },
    namespace(name) {
      if (plain) throw invalid("format 'plain' keeps keys as given: it has no namespace")
      return view(core, loads, `${namespace}.${checkNamespace(name)}`, request)
    },
    stats: () => ({ ...stats }),
    flush: core.background.flush,
    async close() {
      await core.background.flush()
      await store.close()
    },
    [Symbol.asyncDispose]: () => cache.close(),
  }
  return cache
}

function absent<T>(key: string): CacheEntry<T> {
  return { key, status: 'absent', value: undefined, age: 0, ttl: 0, loadTime: 0 }
}
