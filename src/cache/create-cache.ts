import { HitherError } from '../errors.ts'
import type { Near } from '../near/attached.ts'
import type { NearEntry } from '../near/local-tier.ts'
import { encodeJson } from '../protocol/codec.ts'
import { type Entry, NO_VALUE, NONE } from '../protocol/entry.ts'
import { checkNamespace, DEFINED, generationKey, tagKey, WRAPPED } from '../protocol/keys.ts'
import type { Arg, Effect, Reply } from '../protocol/operation.ts'
import { after } from '../runtime/background.ts'
import { NEVER, now } from '../runtime/clock.ts'
import { coarseNow } from '../runtime/coarse-clock.ts'
import { checkLimit, type Limit, NO_LIMIT, within } from '../runtime/deadline.ts'
import { randomId } from '../runtime/random.ts'
import { checkKeys } from '../store/checks.ts'
import { isOutage } from '../store/outage.ts'
import { type Coded, type Core, checkNames, createCore, invalid, nothing } from './core.ts'
import { define, namedKey } from './define.ts'
import { type Begun, getOrSet, planLoad, runAlone } from './get-or-set.ts'
import { getOrSetMany } from './get-or-set-many.ts'
import { keySpace } from './key-space.ts'
import { type Box, createLoads, type LoadPlan, type Loads, type ReadThrough, type Use } from './load.ts'
import { type Found, look, type Sent, send, usualHit } from './look.ts'
import { conform } from './schema.ts'
import { createStamps, epochOf, type Stamp } from './stamped-write.ts'
import type {
  AddOptions,
  Cache,
  CacheEntry,
  CacheOptions,
  CallOptions,
  Captured,
  DefineOptions,
  Frozen,
  GetOrSetOptions,
  Loader,
  ManyLoader,
  PlainCache,
  PlainCacheOptions,
  ReadOptions,
  SetOptions,
  ViewOptions,
  WriteOptions,
} from './types.ts'
import { checkTags, formatTag, parseTags, type Space, softenVersion } from './versions.ts'

/** Nobody else gets the same value: there is no near tier to share it, or it gives out copies. */
type Copied = { readonly near?: never } | { readonly mutable: true }

/**
 * A cache over a store. Its results are `T`, or `Frozen<T>` with a near tier and without `mutable: true`. Throws at once
 * for options that make no sense: `INVALID_ARGUMENT`, `INVALID_DURATION`, `INVALID_KEY` (a namespace); it sends nothing.
 */
export function createCache(options: PlainCacheOptions & Copied): PlainCache
export function createCache(options: CacheOptions & Copied): Cache
export function createCache(options: PlainCacheOptions): PlainCache<'frozen'>
export function createCache(options: CacheOptions): Cache<'frozen'>
export function createCache(options: CacheOptions | PlainCacheOptions): Cache<never> {
  const core = createCore(options)
  const { waitUntil, mutable } = options
  return view(core, createLoads(core), core.namespace, { waitUntil, mutable }) as Cache<never>
}

type Name = (key: string) => string
type Known = Readonly<Record<string, 1 | 2>>
const CALL = { signal: 1, deadline: 1 } as const
const READ: { readonly [K in keyof ReadOptions]-?: 1 | 2 } = { ...CALL, tags: 2 }
const WRITE: { readonly [K in keyof WriteOptions]-?: 1 | 2 } = { ...CALL, onWriteFailure: 1 }
const ADD: { readonly [K in keyof AddOptions]-?: 1 | 2 } = { ...CALL, ttl: 1, grace: 2, tags: 2 }
const SET: { readonly [K in keyof SetOptions]-?: 1 | 2 } = { ...ADD, ...WRITE }
const VIEW: { readonly [K in keyof ViewOptions]-?: 1 } = { ...CALL, waitUntil: 1, mutable: 1 }
const INVALIDATE = { ...WRITE, keepStale: 2 } as const
const LOAD: { readonly [K in keyof GetOrSetOptions]-?: 1 | 2 } = {
  ...ADD,
  hardTimeout: 1,
  nearTtl: 1,
  schema: 1,
  migrate: 1,
  softTimeout: 2,
  negativeTtl: 2,
  backoff: 2,
  jitter: 2,
  refresh: 2,
  forceFresh: 2,
  bypass: 2,
  onDeadline: 2,
  finish: 1,
  shareFailure: 2,
}

const DEFINE: { readonly [K in keyof DefineOptions<unknown, unknown>]-?: 1 | 2 } = {
  ...LOAD,
  name: 1,
  key: 1,
  load: 1,
  loadMany: 1,
}

function view(core: Core, loads: Loads, namespace: string, request: ViewOptions, kind = ''): Cache<'frozen'> {
  const { plain, traits, stats, versions, near } = core
  const { names, stored } = keySpace(core, namespace + kind)
  if (request.mutable !== undefined && typeof request.mutable !== 'boolean') throw invalid('mutable is true or false')
  const nearName = near && names
  const quickName = request.signal || request.deadline !== undefined ? undefined : nearName
  const emit = core.emitter(namespace)
  const space: Space = {
    key: stored,
    generation: generationKey(namespace),
    tag: (tag) => tagKey(namespace, tag),
  }

  /** Checks a call's options; throws what ends it before it begins. */
  const limitOf = (options: CallOptions | undefined, known: Known = CALL): Limit => {
    if (options !== undefined) checkNames('this call', options, known, plain)
    const own = options && (options.signal !== undefined || options.deadline !== undefined)
    if (!own && !request.signal && request.deadline === undefined) return NO_LIMIT
    const signals = [options?.signal, request.signal].filter((signal) => signal !== undefined)
    for (const signal of signals)
      if (typeof signal?.addEventListener !== 'function') throw invalid('signal is an AbortSignal')
    const deadline = Math.min(options?.deadline ?? NEVER, request.deadline ?? NEVER)
    if (Number.isNaN(deadline)) throw invalid('deadline is an instant in epoch milliseconds, such as Date.now() + 1000')
    const limit = { signals, deadline }
    checkLimit(limit)
    return limit
  }
  const entriesOnly = (): void => {
    if (plain) throw invalid("format 'plain' has no namespaces, tags or grace")
  }
  const storedAll = (keys: readonly string[]): string[] => {
    if (!Array.isArray(keys)) throw invalid('keys are an array')
    const all = keys.map(stored)
    checkKeys(all, traits)
    return all
  }
  /**
   * The store's answer to one call; a failure of the store is counted and told. At the deadline the store ends its call
   * itself: it knows whether it may have run.
   */
  const ask = <T>(answer: Promise<T>, { signals }: Limit, hear = core.hear): Promise<T> => {
    const told = answer.then(
      (value) => {
        hear()
        return value
      },
      (error: unknown) => {
        core.isFault(error, emit)
        throw error
      },
    )
    return within(told, { signals, deadline: NEVER })
  }
  const step = (effect: Effect, to: string, args: readonly Arg[], limit: Limit): Promise<Reply> =>
    ask(core.step(effect, to, args, core.call(limit)), limit)
  const find = (key: string, limit: Limit, tags: readonly string[] = [], inTurn = false, sent?: Sent): Promise<Found> =>
    within(ask(look(core, space, stored(key), sent ? [] : checkTags(tags), '', inTurn, sent), limit, nothing), limit)
  /** Looks what is there, then runs one step, told of it: nothing else of this process comes between. */
  const findThen = <T>(
    key: string,
    limit: Limit,
    work: (to: string, dead: string, found?: Found) => Promise<T>,
    tags?: readonly string[],
  ): Promise<T> => {
    const to = stored(key)
    const deleted = async (): Promise<void> => {
      if (await near?.buried(to))
        throw new HitherError('STORE_UNAVAILABLE', 'a delete of this key is still to be made good')
    }
    if (plain) return overwrite([to], limit, () => work(to, ''), near && deleted())
    return core.inTurn([to], true, limit, async () => {
      if (near) await deleted()
      const found = await find(key, limit, tags, true)
      return work(to, found.dead, found)
    })
  }
  /** Runs one step on the live entry it has found, by its id; once more where that was replaced meanwhile. Null: there is none. */
  const withLive = async (
    key: string,
    limit: Limit,
    work: (to: string, id: string, entry?: Entry) => Promise<Reply>,
    tags?: readonly string[],
  ): Promise<Reply> => {
    let reply: Reply
    let id: string | undefined
    let tried: string | undefined
    do {
      tried = id
      const run = async (to: string, _: string, found?: Found): Promise<Reply> => {
        const { entry, dead } = found ?? {}
        id = dead || entry?.mark === NO_VALUE ? undefined : entry?.id
        return plain || id ? work(to, id ?? '', entry) : null
      }
      reply = await findThen(key, limit, run, tags)
      // The same once more is stale by the store's clock.
    } while (reply === null && id !== tried)
    return reply
  }

  const miss = (): void => {
    stats.misses++
    emit({ type: 'miss' })
  }
  const given = (value: unknown): unknown => (request.mutable && near ? near.thaw(value) : value)
  const held: ReadThrough['held'] = (key, schema) => {
    const kept = near && typeof key === 'string' ? near.get((nearName as Name)(key), now()) : undefined
    const entry = request.mutable && kept ? { ...kept, value: given(kept.value) } : kept
    if (entry?.note?.schema === schema || !entry?.note?.unconfirmed || !schema) {
      return entry?.note?.schema === schema ? entry : undefined
    }
    // What this process has written, and the store has not: only here can it be checked.
    const conformed = conform(schema, entry.value)
    return conformed instanceof Promise || !conformed ? undefined : { ...entry, value: conformed.value }
  }
  const isHeld = (entry: NearEntry | undefined): entry is NearEntry => !!entry && entry.freshUntilMs > now()
  /** As `held`, for calls that ask for nothing more than the value: undefined for what wants a closer look. */
  const quick = <T>(key: string, options: GetOrSetOptions | undefined): T | undefined => {
    if (!quickName || typeof key !== 'string' || (options && wantsMore(options))) return undefined
    return given((near as Near).peek(quickName(key), coarseNow())) as T | undefined
  }
  const served: ReadThrough['served'] = (as) => {
    stats[as === 'hit' ? 'hits' : 'stale']++
    emit({ type: as })
  }
  /** Keeps the value near, by what it was found with, and counts and tells that it was given out. */
  const opened = (value: unknown, entry: Entry, as?: 'hit' | 'stale', use?: Use): Box => {
    const { ticket = -1, atMs = 0, status } = use?.found ?? {}
    if (use && near && ticket >= 0) {
      const { writtenMs, loadMs, tags } = entry
      const schema = use.plan?.schema
      // One that a tag has made stale is so before its time.
      // By this machine's clock from here on.
      const aheadMs = core.clock.now() - now()
      const freshUntilMs = status === 'stale' ? 0 : entry.freshUntilMs - aheadMs
      const note = {
        loadMs: loadMs || undefined,
        tags: tags ? [...parseTags(tags).keys()].map(space.tag) : undefined,
        schema,
      }
      const expiresMs = Math.min(entry.expiresMs - aheadMs, atMs + (use.plan?.nearMs ?? NEVER))
      const lent = request.mutable === true
      const fill = { value, writtenMs: plain ? atMs : writtenMs, freshUntilMs, expiresMs, lent }
      const noted = loadMs || tags || schema ? { ...fill, note } : fill
      near.set((nearName as Name)(use.key), noted, atMs, ticket)
    }
    if (as) served(as)
    return { value }
  }
  const unreadable = (limit: Limit): undefined => {
    checkLimit(limit)
    emit({ type: 'decode-failed' })
  }
  const conformed = async (decoding: unknown, limit: Limit, plan: Use['plan']): Promise<unknown> => {
    const value = decoding instanceof Promise ? await core.bound(decoding, limit) : decoding
    const { schema, migrate } = plan ?? {}
    if (!schema) return value
    const checked = (given: unknown) => core.bound(conform(schema, given), limit)
    const box = (await checked(value)) ?? (migrate && (await checked(await core.bound(migrate(value), limit))))
    if (!box) throw undefined
    return box.value
  }
  const open: ReadThrough['open'] = (to, entry, limit, as, use) => {
    try {
      const decoded = core.decode(entry, to)
      if (!(decoded instanceof Promise) && !use?.plan?.schema) return opened(decoded, entry, as, use)
      return conformed(decoded, limit, use?.plan).then(
        (value) => opened(value, entry, as, use),
        () => unreadable(limit),
      )
    } catch {
      return unreadable(limit)
    }
  }
  /** The usual hit: nothing to wait for, no limit. For all else `closer` is called. */
  const glance = async (
    key: string,
    sent: Sent,
    plan: LoadPlan | undefined,
    closer: () => Promise<unknown>,
  ): Promise<unknown> => {
    try {
      const own = await sent.own
      const generation = await sent.generation
      const tags: string[] = []
      for (const [name, version] of sent.tags) tags.push(formatTag(name, (await version) as string))
      const entry = usualHit(own, generation, tags.join(), core.clock)
      // A codec of its own, of another mark, may take its time.
      if (entry && entry.mark >= 'a') {
        core.hear()
        const use = near && ({ key, found: { status: 'fresh', atMs: sent.atMs, ticket: sent.ticket }, plan } as const)
        return opened(core.decode(entry, stored(key)), entry, 'hit', use).value
      }
    } catch {
      // A closer look tells why.
    }
    return await closer()
  }
  /** The value of a fresh entry, in a box; undefined for a miss. */
  const hitOf = async (
    key: string,
    { status, entry }: Pick<Found, 'status' | 'entry'>,
    limit: Limit,
    found?: Found,
  ): Promise<Box | undefined> => {
    const use = found && { key, found }
    const hit = status === 'fresh' && entry ? await open(stored(key), entry, limit, 'hit', use) : undefined
    if (!hit) miss()
    return hit
  }
  const keep: ReadThrough['keep'] = async (key, coded, { freshMs, lifeMs }, names, ticket, stands, schema) => {
    if (!near || ticket === undefined) return
    const at = now()
    let value: unknown
    try {
      value = await core.bound(core.decode(coded, stored(key)), NO_LIMIT)
    } catch {
      return emit({ type: 'decode-failed' })
    }
    const note = { unconfirmed: true, stands, tags: names.length > 0 ? names.map(space.tag) : undefined, schema }
    const [freshUntilMs, expiresMs] = [at + (freshMs || NEVER), at + (lifeMs || NEVER)]
    const fill = { value, writtenMs: at, freshUntilMs, expiresMs, note }
    near.set((nearName as Name)(key), fill, at, ticket)
  }
  const through: ReadThrough = {
    core,
    loads,
    space,
    emit,
    waitUntil: request.waitUntil,
    held,
    served,
    open,
    keep,
    miss,
  }

  const stamps = createStamps(core, space, ask)

  /** Parts running loads from their keys, then writes the keys, with nothing of those loads still on its way. */
  const overwrite = <T>(
    targets: readonly string[],
    limit: Limit,
    work: () => Promise<T>,
    ready?: Promise<unknown> | undefined,
  ): Promise<T> => {
    const part = (): Promise<unknown>[] => targets.flatMap((to) => loads.detach(to) ?? [])
    let fillings = part()
    // Its call may have ended before its turn.
    ready?.catch(nothing)
    if (!plain && !ready && fillings.length === 0) return core.inTurn(targets, false, limit, work)
    return core.inTurn(targets, true, limit, async () => {
      if (ready) await within(ready, limit)
      // A load may have begun while something was awaited.
      for (fillings.push(...part()); fillings.length > 0; fillings = part())
        await within(after(Promise.all(fillings)), limit)
      if (!plain) return work()
      try {
        return await work()
      } finally {
        // A plain key has no lease to refuse the fill of a load that has begun meanwhile.
        part()
      }
    })
  }
  /** Deletes versions, or does `instead`: what was seen of them before and meanwhile is forgotten. */
  const invalidate = async (
    keys: readonly string[],
    limit: Limit,
    options: WriteOptions | undefined,
    instead?: Parameters<Core['invalidate']>[2],
  ): Promise<void> => {
    checkWrite(options)
    keys.forEach(core.forget)
    emit({ type: 'invalidate' })
    await arrived<unknown>(options, ask(core.invalidate(keys, core.call(limit), instead), limit), undefined)
    keys.forEach(core.forget)
  }
  /** Whether a failed write is to be an event; then it has been one. */
  const isDropped = (options: WriteOptions | undefined, error: unknown): boolean => {
    if (options?.onWriteFailure !== 'event' || !isOutage(error)) return false
    emit({ type: 'write-dropped', code: error.code })
    return true
  }
  /** An explicit write's answer; `instead`, where its failure is an event. */
  const arrived = async <T>(options: WriteOptions | undefined, answer: Promise<T>, instead: T): Promise<T> => {
    try {
      return await answer
    } catch (error) {
      if (!isDropped(options, error)) throw error
      return instead
    }
  }

  const increment = async (key: string, by: number, sign: 1 | -1, options?: SetOptions): Promise<number> => {
    const limit = limitOf(options, { ...CALL, ttl: 1 })
    if (!Number.isSafeInteger(by)) throw invalid('increment takes a whole number')
    const { freshMs } = core.life({ ...options, grace: 0 })
    const add = async (to: string, dead: string, found?: Found): Promise<Reply> => {
      // Read after this call began: a counter of an older one would be lost.
      const generation = plain ? NONE : (found?.generation ?? (await stamps.current([], freshMs, limit)).generation)
      return step('once', to, ['increment', dead, randomId(), freshMs, by * sign, generation], limit)
    }
    let reply: Reply
    // Null: another generation's counter has come since it was looked for.
    do reply = await findThen(key, limit, add)
    while (reply === null)
    if (reply === 'WRONG_TYPE') throw new HitherError(reply, 'the key holds something other than a counter')
    if (reply === 'OVERFLOW') throw new HitherError(reply, 'the counter would leave the range of exact whole numbers')
    return Number(reply)
  }

  const begin = (key: string, plan: LoadPlan, limit: Limit): Begun => {
    const to = stored(key)
    const { options, schema, tags } = plan
    const entry = held(key, schema)
    const simple = limit === NO_LIMIT && !entry && !schema && !options.forceFresh && !options.refresh
    return {
      arrived: loads.starts(),
      held: entry,
      sent: simple && !loads.contextOf(to) ? send(core, space, to, tags) : undefined,
    }
  }
  let usualPlan: LoadPlan | undefined
  /** Of a call without options. */
  const usual = (): LoadPlan => {
    usualPlan ??= planLoad(core)
    return usualPlan
  }
  const load = <T>(key: string, loader: Loader<T>, options?: GetOrSetOptions): Promise<Frozen<T>> => {
    try {
      const kept = quick<Frozen<T>>(key, options)
      if (kept !== undefined) {
        served('hit')
        return Promise.resolve(kept)
      }
      return loadCloser(key, loader, options) as Promise<Frozen<T>>
    } catch (error) {
      return Promise.reject(error)
    }
  }
  const loadCloser = (key: string, loader: Loader<unknown>, options?: GetOrSetOptions): Promise<unknown> => {
    const limit = limitOf(options, LOAD)
    if (typeof loader !== 'function') throw invalid('getOrSet takes a loader, a function')
    const plan = options ? planLoad(core, options) : usual()
    if (options?.bypass) return runAlone(through, key, loader, plan, limit)
    const begun = begin(key, plan, limit)
    const closer = (): Promise<unknown> => getOrSet(through, key, loader, plan, limit, undefined, begun)
    return begun.sent ? glance(key, begun.sent, plan, closer) : closer()
  }

  const cache: Cache<'frozen'> = {
    async get<T>(key: string, options?: ReadOptions) {
      const kept = quick<Frozen<T>>(key, options)
      if (kept !== undefined) {
        served('hit')
        return kept
      }
      const limit = limitOf(options, READ)
      const near = held(key)
      if (isHeld(near)) {
        served('hit')
        return near.value as Frozen<T>
      }
      const { tags = [] } = options ?? {}
      const sent = limit === NO_LIMIT ? send(core, space, stored(key), checkTags(tags)) : undefined
      const closer = async (): Promise<unknown> => {
        const found = await find(key, limit, tags, false, sent)
        return (await hitOf(key, found, limit, found))?.value
      }
      return (await (sent ? glance(key, sent, undefined, closer) : closer())) as Frozen<T> | undefined
    },
    async getMany<T>(keys: readonly string[], options?: ReadOptions) {
      const limit = limitOf(options, READ)
      storedAll(keys)
      const all = await Promise.all(
        keys.map((key) => {
          const near = held(key)
          return isHeld(near) ? near : find(key, limit, options?.tags)
        }),
      )
      const values = new Map<string, Frozen<T>>()
      for (const [i, key] of keys.entries()) {
        const found = all[i] as NearEntry | Found
        if ('value' in found) served('hit')
        const hit = 'value' in found ? found : await hitOf(key, found, limit, found)
        if (hit) values.set(key, hit.value as Frozen<T>)
      }
      return values
    },
    getOrSet: load,
    async getOrSetMany<T>(keys: readonly string[], loader: ManyLoader<T>, options?: GetOrSetOptions) {
      const limit = limitOf(options, LOAD)
      storedAll(keys)
      if (typeof loader !== 'function') throw invalid('getOrSetMany takes a loader, a function')
      const values = await getOrSetMany(through, keys, loader, planLoad(core, options), limit)
      return values as Map<string, Frozen<T>>
    },
    set: (key, value, options) => cache.setMany([[key, value]], options),
    async setMany(entries, options) {
      const limit = limitOf(options, SET)
      checkWrite(options)
      // Of a key that comes twice the last value counts.
      if (typeof entries?.[Symbol.iterator] !== 'function') throw invalid('setMany takes pairs of a key and a value')
      const list = [...entries]
      if (!list.every(Array.isArray)) throw invalid('setMany takes pairs of a key and a value')
      const pairs = [...new Map(list)]
      // Nothing is written when one of them cannot be.
      const targets = storedAll(pairs.map(([key]) => key))
      const life = core.life(options)
      const encoded = targets.map((to, i) => core.encode(pairs[i]?.[1], to))
      const stamping = stamps.of(options?.tags, life, limit)
      let parts = [stamping, ...encoded] as [Stamp, ...Coded[]]
      const ready = parts.some((part) => part instanceof Promise)
        ? Promise.all([stamping, ...encoded.map((coding) => core.bound(coding, limit))]).then((all) => {
            parts = all
          })
        : undefined
      ready?.catch(nothing)
      const before = near?.begin()
      const tickets = targets.map(() => before)
      const one = async (to: string, i: number): Promise<unknown> => {
        try {
          return await stamps.write(to, parts[i + 1] as Coded, life, parts[0], limit)
        } catch (error) {
          tickets[i] = near?.begin()
          throw error
        }
      }
      const all = overwrite(targets, limit, () => Promise.allSettled(targets.map(one)), ready)
      // Where the versions could not be had, none was written.
      const outcomes = await all.catch((reason: unknown) =>
        targets.map(() => ({ status: 'rejected', reason }) as const),
      )
      for (const [i, outcome] of outcomes.entries()) {
        if (outcome.status === 'fulfilled') continue
        if (!isDropped(options, outcome.reason)) throw outcome.reason
        const { tags } = options ?? {}
        const captured = epochOf(tags)
        // What it was read under may have ended since.
        if (captured !== undefined && captured !== versions.epoch) continue
        const names = Array.isArray(tags) ? tags : (tags as Captured | undefined)?.tags
        const [[key] = ['']] = [pairs[i]]
        await keep(key, await (encoded[i] as Coded | Promise<Coded>), life, names ?? [], tickets[i])
      }
    },
    async add(key, value, options) {
      const limit = limitOf(options, ADD)
      const life = core.life(options)
      const encoding = core.encode(value, stored(key))
      if (encoding instanceof Promise) encoding.catch(nothing)
      const added = await findThen(key, limit, async (to, dead) => {
        const [coded, stamp] = await Promise.all([core.bound(encoding, limit), stamps.of(options?.tags, life, limit)])
        return stamps.write(to, coded, life, stamp, limit, dead)
      })
      return added === 1
    },
    async has(key, options) {
      const limit = limitOf(options, READ)
      return isHeld(held(key)) || (await find(key, limit, options?.tags)).status === 'fresh'
    },
    async ttl(key, options) {
      const limit = limitOf(options)
      const ask = (to: string, dead: string): Promise<Reply> => step('read', to, ['ttl', dead], limit)
      const left = await (plain ? ask(key, '') : findThen(key, limit, ask))
      return left === null ? undefined : untilEnd(left)
    },
    async touch(key, options) {
      const limit = limitOf(options, { ...CALL, ttl: 1, grace: 2 })
      const { freshMs, lifeMs } = core.life(options)
      // By its id: another entry may have other tags.
      const touched = await withLive(key, limit, async (to, id, entry) => {
        const names = [...parseTags(entry?.tags ?? '').keys()]
        checkTags(names, lifeMs)
        return (
          (await stamps.extend(step('once', to, ['touch', id, freshMs, lifeMs], limit), names, lifeMs, limit)) || null
        )
      })
      return touched === 1
    },
    async take<T>(key: string, options?: ReadOptions) {
      const limit = limitOf(options, READ)
      const take = (to: string, id: string): Promise<Reply> => step('once', to, ['take', id], limit)
      const text = await withLive(key, limit, take, options?.tags)
      const entry = core.parse((text ?? undefined) as string | undefined)
      return (await hitOf(key, { status: 'fresh', entry }, limit))?.value as Frozen<T> | undefined
    },
    async delete(keys, options) {
      const limit = limitOf(options, WRITE)
      checkWrite(options)
      const targets = storedAll(typeof keys === 'string' ? [keys] : keys)
      return arrived(
        options,
        overwrite(targets, limit, () => ask(core.remove(targets, core.call(limit)), limit)),
        0,
      )
    },
    async expire(key, options) {
      entriesOnly()
      const limit = limitOf(options, WRITE)
      checkWrite(options)
      const to = stored(key)
      return (
        (await arrived(
          options,
          overwrite([to], limit, () => step('repeat', to, ['expire', ''], limit), core.filled(to)),
          0,
        )) === 1
      )
    },
    async invalidateTags(tags, options) {
      entriesOnly()
      const limit = limitOf(options, INVALIDATE)
      await invalidate(checkTags(tags).map(space.tag), limit, options, options?.keepStale ? softenVersion : undefined)
    },
    async clear(options) {
      entriesOnly()
      await invalidate([space.generation], limitOf(options, WRITE), options)
    },
    async capture(tags, options) {
      entriesOnly()
      return stamps.capture(tags, limitOf(options))
    },
    increment: (key, by = 1, options) => increment(key, by, 1, options),
    decrement: (key, by = 1, options) => increment(key, by, -1, options),
    wrap(fn, given) {
      const { name, key, ...options } = given ?? {}
      if (typeof fn !== 'function') throw invalid('wrap takes a function')
      namedKey('wrap', name, '')
      const { getOrSet } = view(core, loads, namespace, request, WRAPPED)
      return async function (...args) {
        // A signal that is passed last makes no difference, be there one or not.
        const plainly = args.findLastIndex((arg) => arg !== undefined && !(arg instanceof AbortSignal)) + 1
        const own = key ? key(...(args as never)) : encodeJson(args.slice(0, plainly), true).payload
        return getOrSet(namedKey('wrap', name, own), () => fn.apply(this, args as never), options)
      }
    },
    define: <P, T>(options: DefineOptions<P, T>) => {
      checkNames('define', options, DEFINE, plain)
      return define(view(core, loads, namespace, request, DEFINED), options)
    },
    async getEntry<T>(key: string, options?: ReadOptions): Promise<CacheEntry<T, 'frozen'>> {
      const limit = limitOf(options, READ)
      const to = stored(key)
      // Of a plain entry only the store knows the lifetime.
      const near = plain ? undefined : held(key)
      if (isHeld(near)) {
        const { value, writtenMs, freshUntilMs, note } = near
        const [age, ttl] = [Math.max(0, Math.floor(core.clock.now() - writtenMs)), freshUntilMs - now()]
        const prefix = space.tag('').length
        const tags = note?.tags?.map((tag) => tag.slice(prefix)) ?? []
        const source = note?.unconfirmed ? 'unconfirmed' : 'near'
        return { key, status: 'fresh', value: value as Frozen<T>, age, ttl, loadTime: note?.loadMs ?? 0, tags, source }
      }
      const timing = plain ? step('read', to, ['ttl', ''], limit) : undefined
      const [found, left] = await Promise.all([find(key, limit, options?.tags), timing])
      const { entry, status } = found
      const at = core.clock.now()
      // What the store has not taken stays near.
      const use = plain && held(key) ? undefined : { key, found }
      const box = status !== 'absent' && entry ? await open(to, entry, limit, undefined, use) : undefined
      if (!entry || !box) {
        return { key, status: 'absent', value: undefined, age: 0, ttl: 0, loadTime: 0, tags: [], source: undefined }
      }
      return {
        key,
        status,
        value: box.value as Frozen<T>,
        age: Math.max(0, Math.floor(at - entry.writtenMs)),
        ttl: status === 'fresh' ? Math.max(0, plain ? untilEnd(left ?? -1) : entry.freshUntilMs - at) : 0,
        loadTime: entry.loadMs,
        tags: [...parseTags(entry.tags).keys()],
        source: 'store',
      }
    },
    peek<T>(key: string) {
      if (!near || typeof key !== 'string') return undefined
      const kept = near.peek((nearName as Name)(key), coarseNow())
      if (kept !== undefined) return given(kept) as Frozen<T>
      const entry = held(key)
      return isHeld(entry) ? (entry.value as Frozen<T>) : undefined
    },
    // Each overload says what its options make of it.
    with(options: ViewOptions): Cache<never> {
      checkNames('with', options, VIEW, plain)
      const given = Object.entries(options).filter(([, value]) => value !== undefined)
      return view(core, loads, namespace, { ...request, ...Object.fromEntries(given) }) as Cache<never>
    },
    namespace(name) {
      entriesOnly()
      return view(core, loads, `${namespace}.${checkNamespace(name)}`, request)
    },
    stats: () => (near ? { ...stats, near: near.stats() } : { ...stats }),
    flush: core.background.flush,
    async close() {
      await loads.close()
      await core.close()
    },
    [Symbol.asyncDispose]: () => cache.close(),
  }
  return cache
}

/** Whether the value kept near is not all that a call asks for. */
function wantsMore({ signal, deadline, forceFresh, bypass, refresh, schema }: GetOrSetOptions): boolean {
  return !!(signal || deadline || forceFresh || bypass || refresh || schema)
}

function checkWrite(options: WriteOptions | undefined): void {
  const { onWriteFailure = 'reject' } = options ?? {}
  if (onWriteFailure !== 'reject' && onWriteFailure !== 'event') throw invalid("onWriteFailure is 'reject' or 'event'")
}

/** What the `ttl` step answers, in milliseconds. */
function untilEnd(left: Reply): number {
  return Number(left) < 0 ? NEVER : Number(left)
}
