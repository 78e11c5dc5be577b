import { ownOf } from '../../protocol/arguments.ts'
import type { Entry } from '../../protocol/entry.ts'
import type { Reply } from '../../protocol/operation.ts'
import { NEVER, now } from '../../runtime/clock.ts'
import { lifeOf } from '../engine.ts'
import { isFresh, nearEntry } from '../near-entry.ts'
import { openEntry } from '../open.ts'
import { ADD, limitOf, READ, TOUCH } from '../options.ts'
import { openIfFresh, peek as peekView, readForCaller } from '../read.ts'
import { parseText } from '../reading.ts'
import { currentVersions, renewTags, versionsForWrite, writeStamped } from '../stamped-write.ts'
import { bounded } from '../store-calls.ts'
import type {
  AddOptions,
  AddOptionsOf,
  AnyCache,
  CacheEntry,
  CallOptions,
  Frozen,
  HasTags,
  ReadOptions,
  ReadOptionsOf,
  Results,
} from '../types.ts'
import { type Coded, encodeValue } from '../value-form.ts'
import { viewOf } from '../view.ts'
import { type Attempt, readThenRun, runOnLive } from '../write.ts'
import { unread } from './unread.ts'
import { verbStep, verbsOf } from './verb-step.ts'

/** Stores a value unless there is a fresh one. Resolves to whether it was stored. Atomic. */
export async function add<F extends object>(
  cache: AnyCache<Results, F>,
  key: string,
  value: unknown,
  given?: AddOptionsOf<F>,
): Promise<boolean> {
  const view = viewOf(cache, key)
  const options = given as AddOptions | undefined
  const { core, space } = view
  const limit = limitOf(view, options, ADD)
  const steps = verbsOf(core)
  const life = lifeOf(core, options)
  let encoding = encodeValue(core.values, value, space.key(key))
  const direct = unread(view, limit, {
    async send(to, generation) {
      const stamp = { versions: { generation, tags: new Map() }, names: [], remembered: true }
      const coded = encoding as Coded
      return writeStamped(view, to, { coded, life, stamp, limit, deadId: '=', steps })
    },
    // `writeStamped` asks for the same in this tick: both share one request.
    current: async () => (await currentVersions(view, [], life.lifeMs, limit)).generation,
    ended: (reply) => ({ reply }),
  })
  const attempt: Attempt = async (to) => {
    if (ownOf(options).tags) return undefined
    encoding = await bounded(core, encoding, limit)
    const tried = await direct(to)
    // A live entry was found, so nothing is added.
    return tried && 'known' in tried && !tried.known.dead ? { reply: 0 } : tried
  }
  const work: Parameters<typeof readThenRun>[2] = async (to, deadId) => {
    const stamping = versionsForWrite(view, ownOf(options).tags, life, limit)
    const [coded, stamp] = await Promise.all([bounded(core, encoding, limit), stamping])
    return writeStamped(view, to, { coded, life, stamp, limit, deadId, steps })
  }
  return (await readThenRun(view, key, work, { limit, tags: undefined, attempt })) === 1
}

/** Whether there is a fresh value. Rejects when the store is down. */
export async function has<F extends object>(
  cache: AnyCache<Results, F>,
  key: string,
  given?: ReadOptionsOf<F>,
): Promise<boolean> {
  const view = viewOf(cache, key)
  const options: ReadOptions | undefined = given
  const limit = limitOf(view, options, READ)
  if (isFresh(nearEntry(view, key))) return true
  return (await readForCaller(view, key, limit, { tags: ownOf(options).tags })).status === 'fresh'
}

/** For how many milliseconds the value stays fresh, by the store's clock. `Infinity`: no end. Undefined: none is fresh. */
export async function ttl(cache: AnyCache, key: string, options?: CallOptions): Promise<number | undefined> {
  const view = viewOf(cache, key)
  const limit = limitOf(view, options)
  const ask = (to: string, dead: string): Promise<Reply> =>
    verbStep({ view, storedKey: to, limit }, 'read', ['ttl', dead])
  const left = await (view.core.format.timeLeft?.({ view, storedKey: view.space.key(key), limit }) ??
    readThenRun(view, key, ask, { limit, tags: undefined, attempt: undefined }))
  return left === null ? undefined : untilEnd(left)
}

/** Gives a fresh value a new lifetime from now (`ttl`, or the cache's own). Resolves to whether there was a fresh value. */
export async function touch<F extends object>(
  cache: AnyCache<Results, F>,
  key: string,
  given?: Omit<AddOptionsOf<F>, 'tags'>,
): Promise<boolean> {
  const view = viewOf(cache, key)
  const options = given as AddOptions | undefined
  const limit = limitOf(view, options, TOUCH)
  const { core } = view
  const { freshMs, lifeMs } = lifeOf(core, options)
  const touchStep = (to: string, id: string): Promise<Reply> =>
    verbStep({ view, storedKey: to, limit }, 'once', ['touch', id, freshMs, lifeMs])
  // Touches the entry with this id only: another entry may have other tags, whose versions are not renewed here.
  const work = async (to: string, id: string, entry?: Pick<Entry, 'tags'>): Promise<Reply> => {
    const names = [...core.tags.parse(entry?.tags ?? '').keys()]
    core.tags.check(names, lifeMs)
    return (await renewTags(view, touchStep(to, id), names, { lifeMs, limit })) || null
  }
  const attempt = unread(view, limit, {
    send: (to, _, unreadId) => touchStep(to, unreadId),
    ended: () => ({ reply: null }),
  })
  const touched = await runOnLive(view, key, work, { limit, tags: undefined, attempt })
  return touched === 1
}

/** Deletes the fresh value and resolves to it, atomically: only one of several callers gets it. */
export function take<T = unknown>(
  cache: AnyCache<'frozen', HasTags>,
  key: string,
  options?: ReadOptions,
): Promise<Frozen<T> | undefined>
export function take<T = unknown>(
  cache: AnyCache<'mutable', HasTags>,
  key: string,
  options?: ReadOptions,
): Promise<T | undefined>
export function take<T = unknown>(
  cache: AnyCache<'frozen'>,
  key: string,
  options?: CallOptions,
): Promise<Frozen<T> | undefined>
export function take<T = unknown>(
  cache: AnyCache<'mutable'>,
  key: string,
  options?: CallOptions,
): Promise<T | undefined>
export async function take(cache: AnyCache, key: string, options?: ReadOptions): Promise<unknown> {
  const view = viewOf(cache, key)
  const limit = limitOf(view, options, READ)
  const step = (to: string, id: string): Promise<Reply> =>
    verbStep({ view, storedKey: to, limit }, 'once', ['take', id])
  const attempt = unread(view, limit, {
    send: (to, _, unreadId) => step(to, unreadId),
    ended: () => ({ reply: null }),
  })
  const { tags } = ownOf(options)
  const text = await runOnLive(view, key, step, { limit, tags, attempt: tags ? undefined : attempt })
  const entry = parseText(view.core, (text ?? undefined) as string | undefined)
  return (await openIfFresh(view, key, { status: 'fresh', entry }, limit))?.value
}

/** The value, status and age of one entry, which may be stale. */
export function getEntry<T = unknown>(
  cache: AnyCache<'frozen', HasTags>,
  key: string,
  options?: ReadOptions,
): Promise<CacheEntry<T, 'frozen'>>
export function getEntry<T = unknown>(
  cache: AnyCache<'mutable', HasTags>,
  key: string,
  options?: ReadOptions,
): Promise<CacheEntry<T>>
export function getEntry<T = unknown>(
  cache: AnyCache<'frozen'>,
  key: string,
  options?: CallOptions,
): Promise<CacheEntry<T, 'frozen'>>
export function getEntry<T = unknown>(
  cache: AnyCache<'mutable'>,
  key: string,
  options?: CallOptions,
): Promise<CacheEntry<T>>
export async function getEntry(cache: AnyCache, key: string, options?: ReadOptions): Promise<unknown> {
  const view = viewOf(cache, key)
  const { core, space } = view
  const limit = limitOf(view, options, READ)
  const to = space.key(key)
  const timing = core.format.timeLeft?.({ view, storedKey: to, limit })
  const near = timing ? undefined : nearEntry(view, key)
  if (isFresh(near)) {
    const { value, writtenMs, freshUntilMs, extras } = near
    const [age, ttl] = [Math.max(0, Math.floor(core.clock.now() - writtenMs)), freshUntilMs - now()]
    const prefix = space.tag('').length
    const tags = extras?.tags?.map((tag) => tag.slice(prefix)) ?? []
    const source = extras?.unconfirmed ? 'unconfirmed' : 'near'
    return { key, status: 'fresh', value, age, ttl, loadTime: extras?.loadMs ?? 0, tags, source }
  }
  const [reading, left] = await Promise.all([readForCaller(view, key, limit, { tags: ownOf(options).tags }), timing])
  const { entry, status } = reading
  const at = core.clock.now()
  // The near tier may hold a value that the store does not have yet. This reading must not replace it.
  const isAhead = timing && nearEntry(view, key)
  const context = { key, reading: isAhead ? undefined : reading, storedKey: to, limit }
  const box = status !== 'absent' && entry ? await openEntry(view, entry, context) : undefined
  if (!entry || !box) {
    return { key, status: 'absent', value: undefined, age: 0, ttl: 0, loadTime: 0, tags: [], source: undefined }
  }
  return {
    key,
    status,
    value: box.value,
    age: Math.max(0, Math.floor(at - entry.writtenMs)),
    ttl: status === 'fresh' ? Math.max(0, timing ? untilEnd(left ?? -1) : entry.freshUntilMs - at) : 0,
    loadTime: entry.loadMs,
    tags: [...core.tags.parse(entry.tags).keys()],
    source: 'store',
  }
}

/** The fresh value in the near tier, at once and without a read of the store. Undefined: there is none. */
export function peek<T = unknown>(cache: AnyCache<'frozen'>, key: string): Frozen<T> | undefined
export function peek<T = unknown>(cache: AnyCache<'mutable'>, key: string): T | undefined
export function peek(cache: AnyCache, key: string): unknown {
  return peekView(viewOf(cache), key)
}

/** The freshness left in milliseconds, from the reply of the `ttl` step, which is negative if there is no end. */
function untilEnd(left: Reply): number {
  return Number(left) < 0 ? NEVER : Number(left)
}
