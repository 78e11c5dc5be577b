import { describe, expect, it } from 'vitest'
import { cacheResponse, idempotency, rateLimit, session } from '../../adapters/hono/index.ts'
import { sessionStorage } from '../../adapters/hono-session/index.ts'
import { memoryStore } from '../../adapters/memory/index.ts'
import { createCache as createMini } from '../../src/cache/mini.ts'
import { channel } from '../../src/channel/index.ts'
import { createCounter } from '../../src/counter/index.ts'
import { embeddedStore } from '../../src/embedded/index.ts'
import { createHttpCache, purgeHandler } from '../../src/http/index.ts'
import { createIdempotency } from '../../src/idempotency/index.ts'
import { createCache, isHitherError } from '../../src/index.ts'
import { createLocks } from '../../src/lock/index.ts'
import { createOnce } from '../../src/once/index.ts'
import { createRateLimiter, slidingLog } from '../../src/rate-limit/index.ts'
import { createSessions, hashedEntries } from '../../src/session/index.ts'
import { batch, geo, hash, sortedSet, stream, transaction } from '../../src/structures/index.ts'
import { createTokens } from '../../src/token/index.ts'

// Gives each option of each feature values that make no sense there. Each is refused with an error code, never with a bare
// TypeError, and is never silently accepted.

const ODD = new Map<string, unknown>([
  ['null', null],
  ['{}', {}],
  ['[]', []],
  ["''", ''],
  ["'x'", 'x'],
  ['-1', -1],
  ['0', 0],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['true', true],
  ['function', () => 1],
  ['promise', Promise.resolve(1)],
  ['symbol', Symbol('x')],
])
/** Besides undefined, the value that means "left out" where an object or a function is expected. */
const NONE = 'null'

/** The code of the error that `run` throws or rejects with, or 'accepted', or the text of an error that is no HitherError. */
async function saidTo(run: () => unknown): Promise<string> {
  try {
    await run()
    return 'accepted'
  } catch (error) {
    return isHitherError(error) ? error.code : String(error)
  }
}

interface Case {
  readonly what: string
  readonly takes: (value: never) => unknown
  /** Names of the odd values that do make sense for this option. */
  readonly sense?: string
}

const store = memoryStore()
const commands = embeddedStore()
const space = { store: commands, namespace: 'odd' }
const secrets = [new Uint8Array(32)]
const locks = createLocks({ store })
const sessions = createSessions({ store, secrets })
const keys = createIdempotency({ store, wait: 0 })
const jobs = stream(space, 'jobs')
const group = jobs.group('g')
const places = geo(space, 'places')
const top = sortedSet(space, 'top')
const pages = createHttpCache({ store })
const cache = createCache({ store, ttl: 1000 })
const limits = { store, algorithm: slidingLog({ limit: 1000, window: '1m' }), outage: 'open' } as const
const limiter = createRateLimiter(limits)
const around = { longitude: 1, latitude: 1 }
const within = { radius: 1 }
let names = 0

const consumed = async (options: object): Promise<void> => {
  await jobs.append(1)
  const entries = group.consume({ consumer: 'c', ...options })
  await entries.next()
  await entries.return?.()
}

const cases: readonly Case[] = [
  { what: 'signal of acquire', takes: (signal) => locks.acquire(`${++names}`, { signal }), sense: NONE },
  { what: 'renew of acquire', takes: (renew) => locks.acquire(`${++names}`, { renew }), sense: 'true' },
  { what: 'work of run', takes: (work) => locks.run('a', work), sense: 'function' },
  { what: 'codec of sessions', takes: (codec) => createSessions({ store, secrets, codec }), sense: NONE },
  { what: 'schema of sessions', takes: (schema) => createSessions({ store, secrets, schema }), sense: NONE },
  { what: 'insecure of sessions', takes: (insecure) => createSessions({ store, secrets, insecure }), sense: 'true' },
  { what: 'cookie', takes: (name) => createSessions({ store, secrets, cookie: { name } }), sense: "'x'" },
  { what: 'a handle', takes: (handle) => sessions.destroy(handle) },
  { what: 'codec of hashed entries', takes: (codec) => hashedEntries({ store, codec }), sense: NONE },
  { what: 'ttl of hashed entries', takes: (ttl) => hashedEntries({ store, ttl }) },
  { what: '@hono/session', takes: (options) => sessionStorage(options) },
  { what: 'ttl of @hono/session', takes: (ttl) => sessionStorage({ store, ttl }) },
  { what: 'deadline of session()', takes: (deadline) => session({ sessions, deadline }), sense: 'function' },
  { what: 'codec of tokens', takes: (codec) => createTokens({ store, name: 'a', ttl: 1, codec }), sense: NONE },
  { what: 'max of a counter', takes: (max) => createCounter({ store, name: 'a', max }), sense: '-1 0' },
  { what: 'key of once', takes: (key) => createOnce({ store, ttl: 1 }).first(key), sense: "'x'" },
  { what: 'signal of begin', takes: (signal) => keys.begin(`${++names}`, { signal }), sense: NONE },
  {
    what: 'required of idempotency()',
    takes: (required) => idempotency({ idempotency: keys, scope: () => 'u', required }),
    sense: 'true',
  },
  {
    what: 'onError of idempotency()',
    takes: (onError) => idempotency({ idempotency: keys, scope: () => 'u', onError }),
    sense: 'function',
  },
  { what: 'codec of a structure', takes: (codec) => hash({ ...space, codec }, 'a'), sense: NONE },
  { what: 'what a batch builds', takes: (build) => batch(space, build) },
  { what: 'what a transaction builds', takes: (build) => transaction(space, build) },
  { what: 'what is trimmed', takes: (to) => jobs.trim(to) },
  { what: 'maxLength of trim', takes: (maxLength) => jobs.trim({ maxLength }), sense: '0' },
  { what: 'fromId of trim', takes: (fromId) => jobs.trim({ fromId }) },
  { what: 'both ways to trim', takes: () => jobs.trim({ maxLength: 1, fromId: '1-1' }) },
  { what: 'first id', takes: (from) => jobs.range({ from }) },
  { what: 'signal of consume', takes: (signal) => consumed({ signal }), sense: NONE },
  { what: 'onError of consume', takes: (onError) => consumed({ onError }), sense: `${NONE} function` },
  { what: 'poison', takes: (poison) => consumed({ poison }) },
  { what: 'a position', takes: (position) => places.set('a', position) },
  { what: 'a latitude', takes: (latitude) => places.set('a', { longitude: 1, latitude }), sense: '-1 0' },
  { what: 'around', takes: (around) => places.nearby({ around, within }) },
  { what: 'within', takes: (within) => places.nearby({ around, within }) },
  { what: 'an end of a range', takes: (from) => top.count({ from }), sense: '-1 0 Infinity' },
  { what: 'the end of a range', takes: (to) => top.range({ by: 'score', to }), sense: '-1 0 Infinity' },
  { what: 'reverse of a range', takes: (reverse) => top.range({ by: 'rank', from: 0, to: 1, reverse }), sense: 'true' },
  { what: 'scores of a range', takes: (withScores) => top.range({ by: 'score', withScores }), sense: 'true' },
  { what: 'reverse of a rank', takes: (reverse) => top.rank('a', { reverse }), sense: 'true' },
  { what: 'reverse of a stream', takes: (reverse) => jobs.range({ reverse }), sense: 'true' },
  { what: 'clock of a store in memory', takes: (now) => memoryStore({ now }), sense: `${NONE} function` },
  { what: 'codec of a channel', takes: (codec) => channel({ store, codec }, 'a'), sense: NONE },
  { what: 'schema of a channel', takes: (schema) => channel({ store }, 'a', { schema }), sense: NONE },
  { what: 'signal of subscribe', takes: (signal) => channel({ store }, 'a').subscribe({ signal }), sense: NONE },
  {
    what: 'onInvalid of subscribe',
    takes: (onInvalid) => channel({ store }, 'a').subscribe({ onInvalid }),
    sense: `${NONE} function`,
  },
  { what: 'an embedded store', takes: (options) => embeddedStore(options), sense: '{} promise' },
  { what: 'its clock', takes: (now) => embeddedStore({ now }), sense: `${NONE} function` },
  { what: 'its Lua', takes: (lua) => embeddedStore({ lua }), sense: `${NONE} function` },
  { what: 'its bound', takes: (maxBytes) => embeddedStore({ maxBytes }) },
  { what: 'its policy', takes: (evictionPolicy) => embeddedStore({ evictionPolicy }), sense: NONE },
  { what: 'near of an HTTP cache', takes: (near) => createHttpCache({ store, near }) },
  { what: 'hosts of an HTTP cache', takes: (hosts) => createHttpCache({ store, hosts }), sense: '[]' },
  { what: 'layers of an HTTP cache', takes: (layers) => createHttpCache({ store, layers }), sense: '[]' },
  {
    what: 'onEvent of an HTTP cache',
    takes: (onEvent) => createHttpCache({ store, onEvent }),
    sense: `${NONE} function`,
  },
  {
    what: 'field of a layer',
    takes: (tagField) => createHttpCache({ store, layers: [{ tagField, purge() {} }] }),
    sense: `${NONE} 'x'`,
  },
  { what: 'cacheStatus', takes: (cacheStatus) => createHttpCache({ store, cacheStatus }), sense: "'x'" },
  {
    what: 'staleDespiteSMaxage',
    takes: (staleDespiteSMaxage) => createHttpCache({ store, staleDespiteSMaxage }),
    sense: 'true',
  },
  {
    what: 'negative of a rule',
    takes: (negative) => createHttpCache({ store, rules: [{ negative }] }),
    sense: '{} promise',
  },
  { what: 'a cache to purge', takes: (purged) => purgeHandler(purged, { tokens: ['x'.repeat(16)] }) },
  { what: 'cache of cacheResponse()', takes: (given) => cacheResponse({ cache: given }) },
  { what: 'tags of cacheResponse()', takes: (tags) => cacheResponse({ cache: pages, tags }), sense: '[] function' },
  { what: 'tags of a small cache', takes: (tags) => createMini({ store, tags }) },
  {
    what: 'forceFresh',
    takes: (forceFresh) => cache.getOrSet(`${++names}`, () => 1, { forceFresh }),
    sense: 'true',
  },
  { what: 'bypass', takes: (bypass) => cache.getOrSet(`${++names}`, () => 1, { bypass }), sense: 'true' },
  { what: 'namespace of a limiter', takes: (namespace) => createRateLimiter({ ...limits, namespace }), sense: "'x'" },
  {
    what: 'onEvent of a limiter',
    takes: (onEvent) => createRateLimiter({ ...limits, onEvent }),
    sense: `${NONE} function`,
  },
  { what: 'signal of limit', takes: (signal) => limiter.limit('a', { signal }), sense: NONE },
  { what: 'signal of waitFor', takes: (signal) => limiter.waitFor('a', { signal }), sense: NONE },
  { what: 'key of rateLimit()', takes: (key) => rateLimit({ limiter, key }), sense: 'function' },
  { what: 'cost of rateLimit()', takes: (cost) => rateLimit({ limiter, cost }), sense: '0 function' },
  { what: 'finalCost of rateLimit()', takes: (finalCost) => rateLimit({ limiter, finalCost }), sense: 'function' },
  { what: 'limit of rateLimit()', takes: (limit) => rateLimit({ limiter, limit }), sense: 'function' },
  { what: 'skip of rateLimit()', takes: (skip) => rateLimit({ limiter, skip }), sense: 'function' },
  { what: 'onLimited of rateLimit()', takes: (onLimited) => rateLimit({ limiter, onLimited }), sense: 'function' },
  { what: 'name of rateLimit()', takes: (name) => rateLimit({ limiter, name }), sense: "'x'" },
  { what: 'headers of rateLimit()', takes: (headers) => rateLimit({ limiter, headers }) },
  { what: 'address of rateLimit()', takes: (address) => rateLimit({ limiter, address }) },
  {
    what: 'key of one limit of rateLimit()',
    takes: (key) => rateLimit({ limiter: [{ limiter, key }] }),
    sense: 'function',
  },
]

describe('an option that makes no sense is refused by a code:', () => {
  it.each(cases)('$what', async ({ takes, sense = '' }) => {
    const said = new Map<string, string>()
    for (const [name, value] of ODD) said.set(name, await saidTo(() => takes(value as never)))
    const accepted = [...said.keys()].filter((name) => said.get(name) === 'accepted')
    expect(accepted.join(' ')).toBe([...ODD.keys()].filter((name) => sense.split(' ').includes(name)).join(' '))
    for (const code of said.values()) expect(code).toMatch(/^(accepted|INVALID_[A-Z]+|UNSUPPORTED)$/)
  })
  it('a codec without a method', () => {
    for (const codec of [
      { mark: 'A', encode: String },
      { mark: 'A', decode: String },
    ] as never[])
      expect(() => hash({ ...space, codec }, 'a')).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
  it('a codec without a mark, whose text nobody could read again', () => {
    const codec = { encode: String, decode: String } as never
    const code = expect.objectContaining({ code: 'INVALID_ARGUMENT' })
    expect(() => hash({ ...space, codec }, 'a')).toThrow(code)
    expect(() => createTokens({ store, name: 'a', ttl: 1, codec })).toThrow(code)
    expect(() => createSessions({ store, secrets, codec })).toThrow(code)
    expect(() => channel({ store, codec }, 'a')).toThrow(code)
  })
})
