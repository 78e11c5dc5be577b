import { ownOf } from '../protocol/arguments.ts'
import { type Duration, toMs } from '../protocol/duration.ts'
import { createBackground, REQUEST_SCOPED } from '../runtime/background.ts'
import { createKeyQueue } from '../runtime/key-queue.ts'
import { perTick, soon } from '../runtime/per-tick.ts'
import { createStoreClock } from '../runtime/store-clock.ts'
import { createLastResort } from '../store/last-resort.ts'
import { createStoreBreaker, isOutage } from '../store/outage.ts'
import { checkCacheOptions } from './check-cache-options.ts'
import { createFlights } from './load/flights.ts'
import type { Core, Format } from './model.ts'
import { noNear } from './parts/no-near.ts'
import type { TagsPart } from './parts/tags.ts'
import { createRecent } from './recent.ts'
import { ask, commandCall, emitterOf, nothing, runOperation } from './store-calls.ts'
import { forgetVersion } from './store-reads.ts'
import type { CacheOptions, PlainCacheOptions, SetOptions } from './types.ts'
import { formOfCodec, type Life, type ValueForm } from './value-form.ts'
import { createVersions } from './versions.ts'

/** The parts that a face, such as `createCache` of `hither/mini`, gives its caches. */
export interface FaceParts {
  readonly tags: TagsPart
  /** The format, if the options name none. */
  readonly format: Format
  readonly values: ValueForm
}

/** Creates what the views of a cache share. Throws for invalid options. */
export function createCore(options: CacheOptions | PlainCacheOptions, face: FaceParts): Core {
  const format = checkCacheOptions(options, face.format)
  const { store: given, ttl, storeTimeout = 1000, hardTimeout = 30_000, onEvent, eventKeys } = options
  const { grace, codec, longKeys, namespace: name = 'hither' } = options as CacheOptions
  const store = format.atomic(given)
  const namespace = format.namespace(name)
  const values = !codec ? (format.values ?? face.values) : 'marks' in codec ? codec : formOfCodec(codec)
  const storeTimeoutMs = toMs(storeTimeout, 'storeTimeout')
  const emit = emitterOf({ onEvent, eventKeys }, namespace)
  const background = createBackground()
  const flights = createFlights()
  const reportChange = (open: boolean): void => emit({ type: 'breaker', open })
  const calls = {
    store,
    breaker: createStoreBreaker(store.part?.bind(store), storeTimeoutMs, reportChange),
    lastResort: createLastResort(store, storeTimeoutMs),
  }
  const core: { -readonly [K in keyof Core]: Core[K] } = {
    ...calls,
    format,
    values,
    tags: face.tags,
    near: noNear,
    longKeys,
    namespace,
    storeTimeoutMs,
    hardTimeoutMs: toMs(hardTimeout, 'hardTimeout'),
    ttl,
    ttlMs: msOf(ttl, 0, 'ttl', 1),
    graceMs: msOf(grace, 0, 'grace', 0),
    onEvent,
    eventKeys,
    loadDefaults: options as CacheOptions,
    background,
    versions: createVersions(
      (operation, key, args, call) => runOperation(calls, { operation, key, args }, call),
      flights,
    ),
    clock: createStoreClock(store.traits.ownClock),
    stats: { hits: 0, misses: 0, stale: 0, loads: 0, loadErrors: 0, joined: 0, inFlight: 0, storeErrors: 0 },
    queue: createKeyQueue(REQUEST_SCOPED ? (tail) => void background.add(tail, undefined, nothing) : nothing),
    reads: perTick(),
    versionReads: perTick(),
    fills: new Map(),
    faded: createRecent(),
    failures: createRecent(),
    flights,
    answerCount: 0,
    hasWarned: false,
    hasWarnedOfUnit: false,
  }
  if (options.near) attachNear(core, options.near)
  return core
}

/** Puts a near tier in front of the store. No caller waits for the tier's own commands. */
function attachNear(core: { -readonly [K in keyof Core]: Core[K] }, tier: NonNullable<CacheOptions['near']>): void {
  const { store, format, namespace, background } = core
  const unawaited = { isAwaited: false }
  core.near = tier.attach({
    plain: format.level < 2,
    namespace,
    publish: store.publish?.bind(store),
    subscribe: store.subscribe?.bind(store),
    run: (operation, key, args) => runOperation(core, { operation, key, args }, { ...commandCall(core), ...unawaited }),
    get: (key) => ask(core, [key], () => store.get(key, commandCall(core)), unawaited),
    delete: (key) => ask(core, [key], () => store.delete([key], commandCall(core)), unawaited),
    end: (key, args) =>
      runOperation(core, { operation: format.steps.repeat, key, args }, { ...commandCall(core), ...unawaited }),
    isOutage,
    forget: (key) => forgetVersion(core, key),
    onGap: () => emitterOf(core, namespace)({ type: 'feed-gap' }),
    track: (work) => void background.add(work, undefined, nothing),
  })
}

/** How long a value lives, by the options of a call and the cache's defaults. */
export function lifeOf(core: Core, options: SetOptions | undefined): Life {
  const { ttlMs, graceMs } = core
  const own = options && ownOf(options)
  warnOfUnit(core, own?.ttl ?? core.ttl)
  const freshMs = msOf(own?.ttl, ttlMs, 'ttl', 1)
  const staleMs = msOf(own?.grace, graceMs, 'grace', 0)
  return { freshMs, lifeMs: freshMs && freshMs + staleMs }
}

/** Reports once that a number below a second may have been meant as seconds. */
function warnOfUnit(core: Core, ttl: Duration | undefined): void {
  if (!(typeof ttl === 'number' && ttl < 1000 && !core.hasWarnedOfUnit)) return
  core.hasWarnedOfUnit = true
  const message = `ttl: ${ttl} is ${ttl} ms; for seconds write ttl: '${ttl}s'`
  // Emitted after `createCache` has returned, since the listener may use the cache.
  soon(() => emitterOf(core, core.namespace)({ type: 'short-ttl', message }))
}

function msOf(duration: Duration | undefined, fallback: number, name: string, min: 0 | 1): number {
  return duration === undefined ? fallback : toMs(duration, name, min)
}
