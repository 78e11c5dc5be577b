import { HitherError } from '../errors.ts'
import { checkFlag, checkFunction, checkNames, checkOperations, checkWhole, invalid } from '../protocol/arguments.ts'
import { type Duration, toMs } from '../protocol/duration.ts'
import { checkNamespace } from '../protocol/keys.ts'
import { createBackground } from '../runtime/background.ts'
import type { Engine } from './engine.ts'
import { handle } from './handle.ts'
import { createKeys } from './keys.ts'
import { createPlaces } from './place.ts'
import { hostsOf, timesOf } from './plan.ts'
import { purge } from './purge.ts'
import { PROFILES } from './storable.ts'
import { createStorage } from './storage.ts'
import { fieldTag } from './tags.ts'
import type { HttpCache, HttpCacheOptions, HttpRule, PurgeLayer } from './types.ts'

const OPTIONS: readonly (keyof HttpCacheOptions)[] = [
  'store',
  'near',
  'namespace',
  'profile',
  'rules',
  'maxBodyBytes',
  'maxVariants',
  'hosts',
  'cacheStatus',
  'staleDespiteSMaxage',
  'storeTimeout',
  'collapseTimeout',
  'layers',
  'onEvent',
]
const RULE: readonly (keyof HttpRule)[] = [
  'match',
  'ttl',
  'negative',
  'tags',
  'vary',
  'key',
  'ignoreQuery',
  'cookies',
  'bypass',
]
const nothing = (): void => {}

/**
 * A shared HTTP cache (RFC 9111) in front of a fetch handler. Throws `UNSUPPORTED` for a store without operations,
 * `INVALID_ARGUMENT`, `INVALID_DURATION` or `INVALID_KEY` for options that make no sense.
 */
export function createHttpCache(options: HttpCacheOptions): HttpCache {
  checkNames('createHttpCache', options, OPTIONS)
  const { store, near, namespace = 'http', profile = 'safe', rules = [], hosts, layers = [], onEvent } = options ?? {}
  checkOperations('createHttpCache', store)
  const { maxBodyBytes = 33_554_432, maxVariants = 16, cacheStatus = 'hither' } = options
  const { storeTimeout = '1s', collapseTimeout = '5s', staleDespiteSMaxage = false } = options
  if (!Object.hasOwn(PROFILES, profile)) throw invalid("profile is 'safe' or 'full'")
  const isName = typeof cacheStatus === 'string' && /^[a-z*][\w!#$%&'*+.^`|~:/-]*$/i.test(cacheStatus)
  if (cacheStatus !== false && !isName)
    throw invalid('cacheStatus is a name of letters, digits, dots and hyphens, or false')
  checkFlag(staleDespiteSMaxage, 'staleDespiteSMaxage')
  checkRules(rules)
  if (near !== undefined && typeof near?.attach !== 'function') throw invalid('near is a tier, such as nearTier()')
  if (!isTexts(hosts)) throw invalid('hosts is a list of host names')
  const isLayer = (layer: PurgeLayer): boolean =>
    typeof layer?.purge === 'function' && typeof (layer.tagField ?? '') === 'string' && layer.tagField !== ''
  if (!Array.isArray(layers) || !layers.every(isLayer))
    throw invalid('layers is a list of caches with a purge, and the name of a field')
  checkFunction(onEvent, 'onEvent')
  const keys = createKeys(checkNamespace(namespace))
  const background = createBackground()
  const storage = createStorage({
    store,
    near,
    keys,
    timeoutMs: toMs(storeTimeout, 'storeTimeout'),
    maxVariants: checkWhole(maxVariants, 'maxVariants', 1),
    track: (work) => void background.add(work, undefined, nothing),
  })
  const engine: Engine = {
    store,
    storage,
    keys,
    placeOf: createPlaces(keys),
    policy: PROFILES[profile],
    rules,
    hosts: hosts && hostsOf(hosts),
    name: cacheStatus,
    maxBodyBytes: checkWhole(maxBodyBytes, 'maxBodyBytes', 0),
    tagFields: layers.map(({ tagField = 'cache-tag' }) => tagField),
    staleDespiteSMaxage,
    collapseTimeoutMs: toMs(collapseTimeout, 'collapseTimeout'),
    background,
    flights: new Map(),
    tell(event) {
      try {
        onEvent?.(event)
      } catch {
        // An error of the listener must not break the request.
      }
    },
  }
  const methods: Omit<HttpCache, never> = {
    async purge(selection) {
      await purge(engine, selection)
      const { tags = [] } = selection
      if (tags.length > 0) await purgeLayers(layers, tags.map(fieldTag))
    },
    async clear() {
      await storage.end([keys.generation])
    },
    flush: () => background.flush(),
    async close() {
      await background.flush()
      await storage.close()
    },
  } as HttpCache
  return Object.assign(((request, next, context = {}) => handle(engine, request, next, context)) as HttpCache, methods)
}

/** Purges every layer. Throws `STORE_REJECTED` if one rejected, or resolved to `{ success: false }` as Workers Cache does. */
async function purgeLayers(layers: readonly PurgeLayer[], tags: readonly string[]): Promise<void> {
  const purged = await Promise.allSettled(layers.map(async (layer) => layer.purge({ tags: [...tags] })))
  for (const one of purged) {
    const isDone = one.status === 'fulfilled' && (one.value as { success?: unknown } | undefined)?.success !== false
    const cause = one.status === 'fulfilled' ? one.value : one.reason
    if (!isDone) throw new HitherError('STORE_REJECTED', 'a cache in front was not purged', { cause, retryable: true })
  }
}

const isTexts = (list: unknown): boolean =>
  list === undefined || (Array.isArray(list) && list.every((one) => one && typeof one === 'string'))

function checkRules(rules: readonly HttpRule[]): void {
  if (!Array.isArray(rules)) throw invalid('rules is a list')
  for (const rule of rules) {
    checkNames('a rule', rule, RULE)
    const { ttlMs } = timesOf(rule)
    if (ttlMs !== undefined && ttlMs < 1) throw invalid('ttl is more than 0')
    const { match, key, bypass, vary, tags, ignoreQuery, cookies, negative = {} } = rule
    for (const list of [vary, ignoreQuery, cookies, typeof tags === 'function' ? [] : tags])
      if (!isTexts(list)) throw invalid('vary, tags, ignoreQuery and cookies are lists of names')
    checkNames('negative', negative, Object.keys(negative ?? {}))
    for (const [status, duration] of Object.entries<Duration>(negative)) {
      if (!(Number(status) >= 400)) throw invalid('negative has lifetimes by the status of an error')
      toMs(duration, 'negative')
    }
    const isMatch =
      match === undefined || typeof match === 'function' || (typeof match === 'string' && match[0] === '/')
    if (!isMatch) throw invalid('match is a path, or a function')
    for (const one of [key, bypass]) {
      if (one !== undefined && typeof one !== 'function') throw invalid('key and bypass are functions of a request')
    }
  }
}
