import { HitherError } from '../errors.ts'
import { encodeJson } from '../protocol/codec.ts'
import { type Entry, NONE } from '../protocol/entry.ts'
import { checkNamespace, generationKey, storedKey, tagKey } from '../protocol/keys.ts'
import type { Reply } from '../protocol/operation.ts'
import { now } from '../runtime/clock.ts'
import { checkLimit, type Limit, within } from '../runtime/deadline.ts'
import { randomId } from '../runtime/random.ts'
import { checkKeys } from '../store/checks.ts'
import { type Coded, type Core, checkNames, createCore, invalid, type Life, nothing, type Space } from './core.ts'
import { getOrSet, planLoad, type ReadThrough, runAlone } from './get-or-set.ts'
import { getOrSetMany } from './get-or-set-many.ts'
import { createLoads, type Loads } from './load.ts'
import { type Found, look } from './look.ts'
import type {
  Cache,
  CacheEntry,
  CacheOptions,
  CallOptions,
  Captured,
  Frozen,
  GetOrSetOptions,
  Loader,
  ManyLoader,
  PlainCache,
  PlainCacheOptions,
  ReadOptions,
  SetOptions,
  ViewOptions,
} from './types.ts'
import { type Context, checkTags, parseTags, softenVersion, TAG_LIFE_MS } from './versions.ts'

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

type Known = Readonly<Record<string, 1 | 2>>
const CALL = { signal: 1, deadline: 1 } as const
const READ: { readonly [K in keyof ReadOptions]-?: 1 | 2 } = { ...CALL, tags: 2 }
const SET: { readonly [K in keyof SetOptions]-?: 1 | 2 } = { ...CALL, ttl: 1, grace: 2, tags: 2 }
const VIEW: { readonly [K in keyof ViewOptions]-?: 1 } = { ...CALL, waitUntil: 1 }
const INVALIDATE = { ...CALL, keepStale: 2 } as const
const LOAD: { readonly [K in keyof GetOrSetOptions]-?: 1 | 2 } = {
  ...SET,
  hardTimeout: 1,
  softTimeout: 2,
  negativeTtl: 2,
  backoff: 2,
  jitter: 2,
  refresh: 2,
  forceFresh: 2,
  bypass: 2,
  onDeadline: 2,
}

/** What `capture` hands out carries the versions under this. */
const VERSIONS = Symbol('versions')
interface CapturedVersions extends Captured {
  readonly [VERSIONS]: Context
}

function view(core: Core, loads: Loads, namespace: string, request: ViewOptions): Cache {
  const { plain, store, stats, versions } = core
  const emit = core.emitter(namespace)
  const space: Space = {
    key: (key) => (plain ? key : storedKey(namespace, key)),
    generation: generationKey(namespace),
    tag: (tag) => tagKey(namespace, tag),
  }
  const { key: stored } = space

  /** Checks a call's options; throws what ends it before it begins. */
  const limitOf = (options: CallOptions | undefined, known: Known = CALL): Limit => {
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
  const find = (key: string, limit: Limit, tags: readonly string[] = [], inTurn = false): Promise<Found> =>
    ask(look(core, space, stored(key), checkTags(tags), { inTurn }), limit)
  /** Looks what is there, then runs one step, told whether that is dead: nothing else of this process comes between. */
  const findThen = <T>(
    key: string,
    limit: Limit,
    tags: readonly string[] | undefined,
    work: (to: string, dead: string) => Promise<T>,
  ): Promise<T> => {
    const to = stored(key)
    if (plain) return core.inTurn([to], false, () => work(to, ''))
    return core.inTurn([to], true, async () => work(to, (await find(key, limit, tags, true)).dead))
  }

  const miss = (): void => {
    stats.misses++
    emit({ type: 'miss' })
  }
  const open: ReadThrough['open'] = async (to, entry, as) => {
    try {
      const value = await core.decode(entry, to)
      stats[as === 'hit' ? 'hits' : 'stale']++
      emit({ type: as })
      return { value }
    } catch {
      emit({ type: 'decode-failed' })
      return undefined
    }
  }
  /** The value of a fresh entry, in a box; undefined for a miss. */
  const fresh = async (key: string, found: Found): Promise<{ readonly value: unknown } | undefined> => {
    const hit = found.status === 'fresh' ? await open(stored(key), found.entry as Entry, 'hit') : undefined
    if (!hit) miss()
    return hit
  }
  const through: ReadThrough = { core, loads, space, emit, waitUntil: request.waitUntil, open, miss }

  /** What is written now is valid under; a version seen in the last five seconds will do. */
  const contextFor = (tags: SetOptions['tags'], life: Life, limit: Limit): Context | Promise<Context> => {
    if (plain) return { generation: NONE, tags: new Map() }
    if (typeof tags === 'object' && 'tags' in tags) {
      const captured = (tags as CapturedVersions)[VERSIONS]
      if (!captured) throw invalid('tags takes names, or what capture() answered')
      checkTags(tags.tags, life.lifeMs)
      return captured
    }
    const names = checkTags(tags ?? [], life.lifeMs)
    const generation = versions.recall(space.generation)
    const known = names.map((tag) => versions.recall(space.tag(tag)))
    if (generation !== undefined && !known.includes(undefined)) {
      return { generation, tags: new Map(names.map((tag, i) => [tag, known[i] as string])) }
    }
    return capture(names, limit)
  }
  const capture = async (names: readonly string[], limit: Limit): Promise<Context> => {
    const call = core.call(limit)
    const [generation, ...captured] = await ask(
      Promise.all([
        versions.capture(space.generation, 16, 0, call),
        ...names.map((tag) => versions.capture(space.tag(tag), 32, TAG_LIFE_MS, call)),
      ]),
      limit,
    )
    return { generation, tags: new Map(names.map((tag, i) => [tag, captured[i] as string])) }
  }

  /** Parts running loads from their keys, then writes the keys, with nothing of those loads still on its way. */
  const overwrite = <T>(
    targets: readonly string[],
    ready: Promise<unknown> | undefined,
    work: () => Promise<T>,
  ): Promise<T> => {
    const part = (): Promise<unknown>[] => targets.flatMap((to) => loads.detach(to) ?? [])
    let fillings = part()
    if (!ready && fillings.length === 0) return core.inTurn(targets, false, work)
    return core.inTurn(targets, true, async () => {
      await ready
      // A load may have begun while something was awaited.
      do {
        await Promise.all(fillings)
        fillings = part()
      } while (fillings.length > 0)
      return work()
    })
  }
  const put = (
    verb: 'set' | 'add',
    to: string,
    coded: Coded,
    life: Life,
    context: Context,
    limit: Limit,
    dead?: string,
  ): Promise<Reply> => ask(core.write(verb, to, coded, life, context, core.call(limit), 0, NONE, dead), limit)

  const increment = async (key: string, by: number, sign: 1 | -1, options?: SetOptions): Promise<number> => {
    const limit = limitOf(options, { ...CALL, ttl: 1 })
    if (!Number.isSafeInteger(by)) throw invalid('increment takes a whole number')
    const { freshMs } = core.life({ ...options, grace: 0 })
    const reply = await findThen(key, limit, undefined, async (to, dead) => {
      const context = contextFor([], { freshMs, lifeMs: freshMs }, limit)
      const { generation } = context instanceof Promise ? await context : context
      const args = ['increment', dead, randomId(), freshMs, by * sign, generation]
      return ask(core.step('once', to, args, core.call(limit)), limit)
    })
    if (reply === 'WRONG_TYPE') throw new HitherError(reply, 'the key holds something other than a counter')
    if (reply === 'OVERFLOW') throw new HitherError(reply, 'the counter would leave the range of exact whole numbers')
    return Number(reply)
  }

  const load = async <T>(key: string, loader: Loader<T>, options?: GetOrSetOptions): Promise<Frozen<T>> => {
    const limit = limitOf(options, LOAD)
    const plan = planLoad(core, options)
    const run = loader as Loader<unknown>
    if (options?.bypass) return (await runAlone(through, key, stored(key), run, plan, limit)) as Frozen<T>
    return (await getOrSet(through, key, run, plan, limit)) as Frozen<T>
  }

  const cache: Cache = {
    async get<T>(key: string, options?: ReadOptions) {
      const limit = limitOf(options, READ)
      return (await fresh(key, await find(key, limit, options?.tags)))?.value as Frozen<T> | undefined
    },
    async getMany<T>(keys: readonly string[], options?: ReadOptions) {
      const limit = limitOf(options, READ)
      checkKeys(keys.map(stored), store.traits)
      const all = await Promise.all(keys.map((key) => find(key, limit, options?.tags)))
      const values = new Map<string, Frozen<T>>()
      for (const [i, key] of keys.entries()) {
        const hit = await fresh(key, all[i] as Found)
        if (hit) values.set(key, hit.value as Frozen<T>)
      }
      return values
    },
    getOrSet: load,
    async getOrSetMany<T>(keys: readonly string[], loader: ManyLoader<T>, options?: GetOrSetOptions) {
      const limit = limitOf(options, LOAD)
      checkKeys(keys.map(stored), store.traits)
      return (await getOrSetMany(through, keys, loader as ManyLoader<unknown>, planLoad(core, options), limit)) as Map<
        string,
        Frozen<T>
      >
    },
    set: (key, value, options) => cache.setMany([[key, value]], options),
    async setMany(entries, options) {
      const limit = limitOf(options, SET)
      const pairs = Array.from(entries, ([key, value]) => ({ to: stored(key), value }))
      const targets = pairs.map(({ to }) => to)
      // Nothing is written when one of them cannot be.
      checkKeys(targets, store.traits)
      const life = core.life(options)
      const encoded = pairs.map(({ to, value }) => core.encode(value, to))
      const context = contextFor(options?.tags, life, limit)
      let coded = encoded as Coded[]
      let under = context as Context
      const later = context instanceof Promise || encoded.some((each) => each instanceof Promise)
      const ready = later
        ? Promise.all([Promise.all(encoded), context]).then((both) => {
            ;[coded, under] = both
          })
        : undefined
      ready?.catch(nothing)
      const outcomes = await overwrite(targets, ready, () =>
        Promise.allSettled(targets.map((to, i) => put('set', to, coded[i] as Coded, life, under, limit))),
      )
      for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    },
    async add(key, value, options) {
      const limit = limitOf(options, SET)
      const life = core.life(options)
      const encoding = core.encode(value, stored(key))
      if (encoding instanceof Promise) encoding.catch(nothing)
      const added = await findThen(key, limit, undefined, async (to, dead) => {
        const context = contextFor(options?.tags, life, limit)
        const [coded, under] = await Promise.all([encoding, context])
        return put('add', to, coded, life, under, limit, dead)
      })
      return added === 1
    },
    async has(key, options) {
      return (await find(key, limitOf(options, READ), options?.tags)).status === 'fresh'
    },
    async ttl(key, options) {
      const limit = limitOf(options)
      const left = await findThen(key, limit, undefined, (to, dead) =>
        ask(core.step('read', to, ['ttl', dead], core.call(limit)), limit),
      )
      return left === null ? undefined : (left as number) < 0 ? Number.POSITIVE_INFINITY : (left as number)
    },
    async touch(key, options) {
      const limit = limitOf(options, { ...CALL, ttl: 1, grace: 2 })
      const { freshMs, lifeMs } = core.life(options)
      const touched = await findThen(key, limit, undefined, (to, dead) =>
        ask(core.step('once', to, ['touch', dead, freshMs, lifeMs], core.call(limit)), limit),
      )
      return touched === 1
    },
    async take<T>(key: string, options?: ReadOptions) {
      const limit = limitOf(options, READ)
      const text = await findThen(key, limit, options?.tags, (to, dead) =>
        ask(core.step('once', to, ['take', dead], core.call(limit)), limit),
      )
      const entry = core.parse((text ?? undefined) as string | undefined)
      const taken = entry && (await open(stored(key), entry, 'hit'))
      if (!taken) miss()
      return taken?.value as Frozen<T> | undefined
    },
    async delete(keys, options) {
      const limit = limitOf(options)
      const targets = (typeof keys === 'string' ? [keys] : keys).map(stored)
      checkKeys(targets, store.traits)
      return overwrite(targets, undefined, () => ask(core.remove(targets, core.call(limit)), limit))
    },
    async expire(key, options) {
      const limit = limitOf(options)
      const to = stored(key)
      const kept = await overwrite([to], undefined, () =>
        ask(core.step('repeat', to, ['expire', ''], core.call(limit)), limit),
      )
      return kept === 1
    },
    async invalidateTags(tags, options) {
      const limit = limitOf(options, INVALIDATE)
      const call = core.call(limit)
      const keys = checkTags(tags).map(space.tag)
      keys.forEach(core.forget)
      emit({ type: 'invalidate' })
      if (options?.keepStale)
        await ask(Promise.all(keys.map((key) => store.run(softenVersion, key, [randomId()], call))), limit)
      else await ask(store.delete(keys, call), limit)
      keys.forEach(core.forget)
    },
    async clear(options) {
      const limit = limitOf(options)
      core.forget(space.generation)
      emit({ type: 'invalidate' })
      await ask(store.delete([space.generation], core.call(limit)), limit)
      core.forget(space.generation)
    },
    async capture(tags, options) {
      const limit = limitOf(options)
      const names = checkTags(tags)
      return { tags: names, [VERSIONS]: await capture(names, limit) } as CapturedVersions
    },
    increment: (key, by = 1, options) => increment(key, by, 1, options),
    decrement: (key, by = 1, options) => increment(key, by, -1, options),
    wrap(fn, { name, key, ...options }) {
      if (typeof name !== 'string' || name === '') throw invalid('wrap needs a name: a minifier renames functions')
      return async (...args) => {
        // A signal that is passed last makes no difference, be there one or not.
        const plainly = args.findLastIndex((arg) => arg !== undefined && !(arg instanceof AbortSignal)) + 1
        const own = key ? key(...(args as never)) : encodeJson(args.slice(0, plainly), true).payload
        return load(`${name}:${own}`, () => fn(...args), options)
      }
    },
    async getEntry<T>(key: string, options?: ReadOptions): Promise<CacheEntry<T>> {
      const limit = limitOf(options, READ)
      const to = stored(key)
      const timing = plain ? ask(core.step('read', to, ['ttl', ''], core.call(limit)), limit) : undefined
      const [{ entry, status }, left] = await Promise.all([find(key, limit, options?.tags), timing])
      const none: CacheEntry<T> = { key, status: 'absent', value: undefined, age: 0, ttl: 0, loadTime: 0, tags: [] }
      if (!entry || status === 'absent') return none
      const at = now()
      let value: unknown
      try {
        value = await core.decode(entry, to)
      } catch {
        emit({ type: 'decode-failed' })
        return none
      }
      const endMs =
        typeof left === 'number' && left >= 0 ? left : plain ? Number.POSITIVE_INFINITY : entry.freshUntilMs - at
      return {
        key,
        status,
        value: value as Frozen<T>,
        age: plain ? 0 : Math.max(0, at - entry.writtenMs),
        ttl: status === 'fresh' ? Math.max(0, endMs) : 0,
        loadTime: entry.loadMs,
        tags: [...parseTags(entry.tags).keys()],
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
