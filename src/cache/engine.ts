import { HitherError } from '../errors.ts'
import type { NearPart } from '../near/coherence.ts'
import { decodeJson } from '../protocol/codec.ts'
import { type Duration, toMs } from '../protocol/duration.ts'
import { type Entry, NO_VALUE, NONE, parseEntry } from '../protocol/entry.ts'
import { checkNamespace } from '../protocol/keys.ts'
import type { Arg, Operation, Reply } from '../protocol/operation.ts'
import { after, type Background, createBackground, MORTAL } from '../runtime/background.ts'
import { NEVER, now } from '../runtime/clock.ts'
import { type Limit, within } from '../runtime/deadline.ts'
import { createKeyQueue, type KeyQueue } from '../runtime/key-queue.ts'
import { tell } from '../runtime/listener.ts'
import { createMomentary } from '../runtime/momentary.ts'
import { randomId } from '../runtime/random.ts'
import { createStoreClock, type StoreClock } from '../runtime/store-clock.ts'
import { createLastResort, LATE_MS } from '../store/last-resort.ts'
import { createStoreBreaker, isOutage } from '../store/outage.ts'
import type { AtomicStore, Call, StoreTraits } from '../store/store.ts'
import { withoutOperations } from '../store/without-operations.ts'
import { CACHE, checkNames, invalid } from './options.ts'
import { entryFormat, type Format } from './parts/format-entry.ts'
import { noNear } from './parts/no-near.ts'
import type { TagsPart } from './parts/tags.ts'
import { createRecent, type Recent } from './recent.ts'
import { repeatEntry } from './steps/entry.ts'
import type { CacheEvent, CacheOptions, CacheStats, PlainCacheOptions, SetOptions } from './types.ts'
import { type CapturedVersions, createVersions, type VersionMemory } from './versions.ts'

/** A value in the form it is stored in. */
export interface Coded {
  readonly mark: string
  readonly payload: string
}

/** How long a value lives, in milliseconds; 0: no end. */
export interface Life {
  readonly freshMs: number
  readonly lifeMs: number
}

export type Emit = (
  event: CacheEvent extends infer E ? (E extends unknown ? Omit<E, 'namespace'> : never) : never,
) => void

/** What a cache and its views share: the store, the stored form, the counts. */
export interface Core {
  readonly traits: StoreTraits
  readonly plain: boolean
  readonly format: Format
  readonly tags: TagsPart
  readonly near: NearPart
  readonly longKeys: CacheOptions['longKeys']
  /** The cache's own; others are views of it. '' in the plain format. */
  readonly namespace: string
  readonly hardTimeoutMs: number
  readonly background: Background
  readonly versions: VersionMemory
  /** Keys whose load failed lately, by `backoff`. */
  readonly failures: Recent<true>
  /** By which freshness under grace is judged. */
  readonly clock: StoreClock
  /** How often the store has answered. */
  readonly heard: number
  /** The store has answered. */
  hear(): void
  readonly stats: { -readonly [K in keyof CacheStats]: CacheStats[K] }
  emitter(namespace: string): Emit
  life(options: SetOptions | undefined): Life
  /** Whether the error is an outage, which a read-through survives: it is then counted and told. */
  isFault(error: unknown, emit: Emit): boolean
  /** Throws, or rejects with, `INVALID_VALUE` or `UNENCODABLE`. */
  encode(value: unknown, key: string): Coded | Promise<Coded>
  /** Throws, or rejects, for what the codec does not know. */
  decode(coded: Coded, key: string): unknown
  /** Undefined for what is absent or of an unknown form. */
  parse(text: string | undefined): Entry | undefined
  /** The text under a stored key. Calls of one tick share one read. `inTurn`: the caller has its turn on the key. */
  text(key: string, inTurn?: boolean): Promise<string | undefined>
  /** The version under a stored key, which is then remembered. Shared as `text`. */
  version(key: string): Promise<string | undefined>
  /** Resolves when the next thing has ended that a read of the stored key waits for; undefined: there is none. */
  before(key: string, inTurn?: boolean): Promise<void> | undefined
  /** Reads of the key wait for this, which must not reject: who has been answered by a load finds its value stored. */
  fill(key: string, written: Promise<unknown>): void
  /** Resolves when nothing that was loaded is being written to the key; undefined: nothing is. */
  filled(key: string): Promise<void> | undefined
  /**
   * Gives an entry without an end that can never be valid again a minute to live. Not deleted at once: its writer may
   * still write it once more (`stamped-write.ts`).
   */
  fade(key: string, entry: Entry, generationKey: string): void
  /** Drops what is remembered of a version. */
  forget(key: string): void
  /** Runs `work` after the slower calls on these stored keys that came first (`KeyQueue.run`). */
  readonly inTurn: KeyQueue['run']
  /** Resolves to how many of the stored keys there were. */
  remove(keys: readonly string[], call: Call): Promise<number>
  /** Ends versions, by deleting them or by `instead`. */
  invalidate(
    keys: readonly string[],
    call: Call,
    instead?: Operation<readonly [soft: string], number>,
  ): Promise<unknown>
  /** What a codec or schema does, which is to end within the limit, and within `hardTimeout` where that is sooner. */
  bound<T>(work: T | Promise<T>, limit: Limit): T | Promise<T>
  /** The deadline of one command, no later than the caller's. Without a limit it is a load's, which has better things to do than to wait. */
  call(limit?: Limit): Call
  /** Runs one step (`steps/entry.ts`) on a stored key. */
  step(effect: 'read' | 'repeat' | 'once', key: string, args: readonly Arg[], call: Call): Promise<Reply>
  /** Resolves to 1, or 0 where the verb's condition did not hold. */
  write(
    verb: string,
    key: string,
    coded: Coded,
    life: Life,
    context: CapturedVersions,
    call: Call,
    loadMs?: number,
    token?: string,
    dead?: string,
    id?: string,
  ): Promise<Reply>
  /** Ends what this cache holds open. */
  close(): Promise<void>
}

/** What follows a load, or renews what it needs: its callers have their answer, or do not wait for it. */
function isAfterwards(args: readonly Arg[]): boolean {
  const [verb, , , , purpose] = args
  return /^(|fill|release|fail|gone|bury)$/.test(`${verb}`) || (verb === 'lease' && purpose === 2)
}

/** What is left to an entry of a generation that has ended, in milliseconds. */
const FADE_MS = 60_000
/** A delete that is made good later leaves what was written this much after it, though the clocks differ. */
const CLOCKS_DIFFER_MS = 5000

/** `tags`: what the cache can do with tags. */
export function createCore(options: CacheOptions | PlainCacheOptions, tags: TagsPart): Core {
  if (!options) throw invalid('createCache takes { store }, such as { store: memoryStore() }')
  const { store: given, near: tier, ttl, storeTimeout = 1000, hardTimeout = 30_000, onEvent } = options
  const { grace, codec, longKeys } = options as CacheOptions
  const format: Format = options.format ?? entryFormat
  if (typeof format?.parse !== 'function') throw invalid('format is one such as plain()')
  const { plain, steps } = format
  checkNames('createCache', options, CACHE, plain)
  if (typeof given?.set !== 'function' || typeof given.delete !== 'function') {
    const promised = (given as { then?: unknown } | undefined)?.then ? ', not the promise of a client' : ''
    throw invalid(`createCache needs a store, such as memoryStore()${promised}`)
  }
  const isAtomic = typeof (given as Partial<AtomicStore>).run === 'function'
  if (plain && !isAtomic) throw new HitherError('UNSUPPORTED', 'the plain format needs a store with operations')
  const store = isAtomic ? (given as AtomicStore) : withoutOperations(given)
  if (onEvent && typeof onEvent !== 'function') throw invalid('onEvent is a function')
  if (
    codec &&
    !(/^[A-Z]$/.test(codec.mark) && typeof codec.encode === 'function' && typeof codec.decode === 'function')
  ) {
    throw invalid('a codec has encode, decode and one letter from A to Z as its mark')
  }
  if (longKeys && typeof longKeys !== 'function') throw invalid('longKeys is a function, such as hashed()')
  if (tier !== undefined && typeof tier?.attach !== 'function') throw invalid('near is a tier, such as nearTier()')
  const namespace = plain ? '' : checkNamespace((options as CacheOptions).namespace ?? 'hither')
  const storeTimeoutMs = toMs(storeTimeout, 'storeTimeout')
  const reads = createMomentary<Promise<string | undefined>>()
  const noted = createMomentary<Promise<string | undefined>>()
  const faded = createRecent<true>()
  const queue = createKeyQueue(MORTAL ? (tail) => void background.add(tail, undefined, nothing) : nothing)
  const fills = new Map<string, Promise<unknown>>()

  const msOf = (duration: Duration | undefined, fallback: number, name: string, min: 0 | 1): number =>
    duration === undefined ? fallback : toMs(duration, name, min)
  const ttlMs = msOf(ttl, 0, 'ttl', 1)
  const graceMs = msOf(grace, 0, 'grace', 0)

  const emitter: Core['emitter'] = (namespace) =>
    onEvent
      ? (event) => {
          tell(onEvent, { namespace, ...event } as CacheEvent)
        }
      : nothing
  const emit = emitter(namespace)
  const breaker = createStoreBreaker(store.part?.bind(store), storeTimeoutMs, (open) => emit({ type: 'breaker', open }))
  const settled = createLastResort(storeTimeoutMs)
  /** `isAwaited`: a caller may wait for it. What nobody waits for leaves no timer. */
  const guarded = <T>(
    keys: readonly string[],
    call: (nowMs: number) => Promise<T>,
    signal?: AbortSignal | undefined,
    isAwaited = true,
  ): Promise<T> => breaker(keys, (nowMs) => settled(() => call(nowMs), signal, isAwaited))
  const run = <A extends readonly Arg[], R extends Reply>(
    operation: Operation<A, R>,
    key: string,
    args: A,
    call: Call,
    isAwaited: boolean = MORTAL || call.patient !== false || !isAfterwards(args),
  ): Promise<R> => guarded([key], () => store.run(operation, key, args, call), call.signal, isAwaited)
  const background = createBackground()
  let heard = 0
  let warned = false
  const near: NearPart = !tier
    ? noNear
    : tier.attach({
        plain,
        namespace,
        publish: store.publish?.bind(store),
        subscribe: store.subscribe?.bind(store),
        run: (operation, key, args) => run(operation, key, args, core.call(), false),
        async remove(key, sinceMs, isDue) {
          const call = core.call()
          if (plain) {
            await guarded([key], () => store.delete([key], call), undefined, false)
            return true
          }
          const entry = parseEntry((await guarded([key], () => store.get(key, call), undefined, false)) ?? '')
          if (!isDue()) return false
          if (!entry || entry.writtenMs >= sinceMs + CLOCKS_DIFFER_MS) return true
          // By what it is, not by its key: it may be sent again, or arrive late, and something else may be there by then.
          const args = entry.mark === NO_VALUE ? ['release', '', entry.lease] : ['bury', entry.id, 0]
          await run(repeatEntry, key, args, core.call(), false)
          return true
        },
        isOutage,
        forget: (key) => core.forget(key),
        onGap: () => emit({ type: 'feed-gap' }),
        track: (work) => void background.add(work, undefined, nothing),
      })
  const { withInvalidation } = near

  const core: Core = {
    traits: store.traits,
    plain,
    format,
    tags,
    near,
    longKeys,
    namespace,
    hardTimeoutMs: toMs(hardTimeout, 'hardTimeout'),
    get heard() {
      return heard
    },
    hear() {
      heard++
      near.onAnswer()
    },
    background,
    versions: createVersions(run),
    failures: createRecent(),
    clock: createStoreClock(),
    stats: { hits: 0, misses: 0, stale: 0, loads: 0, loadErrors: 0, joined: 0, inFlight: 0, storeErrors: 0 },
    emitter,
    life(own) {
      const freshMs = msOf(own?.ttl, ttlMs, 'ttl', 1)
      const staleMs = msOf(own?.grace, graceMs, 'grace', 0)
      return { freshMs, lifeMs: freshMs && freshMs + staleMs }
    },
    isFault(error, emit) {
      if (!isOutage(error)) return false
      core.stats.storeErrors++
      emit({ type: 'store-error', code: error.code })
      return true
    },
    encode(value, key) {
      if (value === undefined) throw new HitherError('INVALID_VALUE', 'undefined means absent: store null, or delete')
      if (codec) {
        const { mark } = codec
        const payload = codec.encode(value, key)
        if (typeof payload === 'string') return { mark, payload }
        const coding = payload.then((text) => ({ mark, payload: text }))
        // Whoever needs it is told; a call may end before.
        coding.catch(nothing)
        return coding
      }
      return format.encode(value)
    },
    decode({ mark, payload }, key) {
      if (mark === codec?.mark) return codec.decode(payload, key)
      // Beside its own mark a cache with a codec takes whole numbers only: increment() keeps them as they are.
      return decodeJson(payload, codec && mark !== 'i' ? NO_VALUE : mark)
    },
    parse: (text) => (text === undefined ? undefined : format.parse(text)),
    before(key, inTurn) {
      return (inTurn ? undefined : queue.before(key)) ?? core.filled(key)
    },
    text(key, inTurn) {
      const before = core.before(key, inTurn)
      if (before) return before.then(() => core.text(key, true))
      let reading = reads.get(key)
      if (!reading) {
        reading = guarded([key], (nowMs) => store.get(key, { deadline: nowMs + storeTimeoutMs, patient: false }))
        reads.set(key, reading)
      }
      return reading
    },
    version(key) {
      let reading = noted.get(key)
      if (!reading) {
        const { epoch } = core.versions
        reading = core.text(key)
        // Before anybody who waits for it. Its failure is told to those, once its entry has been read.
        reading.then((version) => core.versions.note(key, version, epoch), nothing)
        noted.set(key, reading)
      }
      return reading
    },
    fill(key, written) {
      fills.set(key, written)
      void written.then(() => {
        if (fills.get(key) === written) fills.delete(key)
      })
    },
    filled(key) {
      const written = fills.get(key)
      if (!written) return undefined
      const forget = (): void => {
        if (fills.get(key) === written) fills.delete(key)
      }
      // No longer than a store has for it.
      return within(after(written), { signals: [], deadline: now() + storeTimeoutMs + LATE_MS }).then(forget, forget)
    },
    fade(key, { id, generation }, generationKey) {
      if (faded.get(key)) return
      faded.set(key, true, FADE_MS)
      const work = async (): Promise<void> => {
        // The entry may have been read after its generation, which was then an older one. What is read now is newer than
        // the entry: where it differs, the entry's own has ended.
        const current = await guarded([generationKey], () => store.get(generationKey, core.call()), undefined, false)
        if (current !== generation) await run(repeatEntry, key, ['bury', id, FADE_MS], core.call())
      }
      background.add(work().catch(nothing), undefined, nothing)
    },
    forget(key) {
      reads.delete(key)
      noted.delete(key)
      core.versions.forget(key)
    },
    inTurn: queue.run,
    remove(keys, call) {
      for (const key of keys) reads.delete(key)
      return withInvalidation(keys, 'deletes', () => guarded(keys, () => store.delete(keys, call), call.signal))
    },
    invalidate(keys, call, instead) {
      return withInvalidation<unknown>(keys, 'changes', () =>
        instead
          ? Promise.all(keys.map((key) => run(instead, key, [randomId()], call)))
          : guarded(keys, () => store.delete(keys, call), call.signal),
      )
    },
    bound(work, { signals, deadline }) {
      if (!(work instanceof Promise)) return work
      return within(work, { signals, deadline: Math.min(deadline, now() + core.hardTimeoutMs) })
    },
    call(limit) {
      const deadline = Math.min(limit?.deadline ?? NEVER, now() + storeTimeoutMs)
      const signal = limit?.signals[0]
      return { deadline, patient: !!limit, ...(signal && { signal }) }
    },
    step(effect, key, args, call) {
      const ask = (): Promise<Reply> => run(steps[effect], key, args, call)
      if (effect === 'read') return ask()
      reads.delete(key)
      const verb = String(args[0])
      // A lease changes no value.
      if (/^(lease|release|fail)$/.test(verb)) return ask()
      return withInvalidation([key], /^(expire|touch)$/.test(verb) ? 'changes' : 'writes', ask)
    },
    write(
      verb,
      key,
      { mark, payload },
      { freshMs, lifeMs },
      context,
      call,
      loadMs = 0,
      token = NONE,
      dead = '',
      id = randomId(),
    ) {
      reads.delete(key)
      if (plain && verb !== 'add') {
        const set = (): Promise<void> => store.set(key, payload, lifeMs || undefined, call)
        return withInvalidation([key], 'writes', () => guarded([key], set, call.signal).then(() => 1))
      }
      const { generation } = context
      const block = Array.from(context.tags, ([tag, version]) => tags.format(tag, version)).join()
      // Less than 0: the clock went back.
      const ms = Math.max(0, Math.min(loadMs, 1e9 - 1))
      const head = mark + id
      if (lifeMs === 0 && !warned) {
        warned = true
        emit({ type: 'no-lifetime' })
      }
      const args = [verb, dead, head, freshMs, lifeMs, ms, token, generation, block, payload]
      return core.step(verb === 'fill' ? 'repeat' : 'once', key, args, call)
    },
    async close() {
      await near.close()
      await background.flush()
      await store.close()
    },
  }
  return core
}

export const nothing = (): void => {}
