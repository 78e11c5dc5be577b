import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { plain } from '../../../src/cache/parts/format-plain.ts'
import { createCache } from '../../../src/index.ts'

describe('createCache', () => {
  const open = (options: object) => () => createCache({ store: memoryStore(), ...options })
  it.each<object>([
    { store: undefined },
    { store: null },
    { store: {} },
    { store: Promise.resolve(memoryStore()) },
    { onEvent: 'x' },
    { nope: 1 },
    { tll: '5m' },
    { constructor: 1 },
    { format: 'json' },
    { codec: { mark: 'j', encode: String, decode: String } },
    { codec: { mark: 'AB', encode: String, decode: String } },
  ])('refuses %o', (options) => {
    expect(open(options)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
  it.each(['ttl', 'grace', 'storeTimeout', 'hardTimeout'])('refuses a %s that is none', (name) => {
    for (const duration of ['5 apples', Number.NaN, -1, '', {}]) {
      expect(open({ [name]: duration })).toThrow(expect.objectContaining({ code: 'INVALID_DURATION' }))
    }
    if (name !== 'grace') expect(open({ [name]: 0 })).toThrow(expect.objectContaining({ code: 'INVALID_DURATION' }))
  })
  it.each<object>([{ jitter: 1 }, { jitter: 'x' }, { refresh: 5 }, { softTimeout: '3s', hardTimeout: '2s' }])(
    'refuses %o as a default of its loads',
    (options) => {
      expect(open(options)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    },
  )
  it.each(['softTimeout', 'backoff'])('refuses a default %s that is no duration', (name) => {
    expect(open({ [name]: '5 apples' })).toThrow(expect.objectContaining({ code: 'INVALID_DURATION' }))
  })
  it.each(['softTimeout', 'jitter', 'backoff', 'refresh'])('refuses %s in the plain format', (name) => {
    expect(open({ format: plain(), [name]: 0 })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
  it.each(['', 'a:b', 'a b', 'é', '.'])('refuses the namespace %j', (namespace) => {
    expect(open({ namespace })).toThrow(expect.objectContaining({ code: 'INVALID_KEY' }))
  })
  it.each<object>([
    { deadline: 'soon' },
    { deadline: Number.NaN },
    { signal: {} },
    { softTimeout: 10 },
    { forceFresh: true, bypass: true },
    { jitter: '0.5' },
    { jitter: 1 },
    { refresh: 5 },
    { migrate: String },
    { nope: 1 },
  ])('refuses a load with %o, and does not begin it', async (options) => {
    const cache = open({ ttl: '1m' })()
    let loads = 0
    const load = async (): Promise<unknown> => await cache.getOrSet('k', () => ++loads, options as never)
    await expect(load()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(loads).toBe(0)
  })
  it('refuses pairs that are none, and options of the memory store that do not exist', async () => {
    const cache = open({})()
    await expect((async () => await cache.setMany(['ab'] as never))()).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    expect(() => memoryStore({ maxx: 1 } as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
  it('sends nothing', () => {
    const store = { ...memoryStore(), get: () => Promise.reject(new Error('asked')) }
    expect(() => createCache({ store })).not.toThrow()
  })
})
