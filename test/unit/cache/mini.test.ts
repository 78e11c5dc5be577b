import { type AtomicStore, createCache as createFull } from 'hither'
import { memoryStore } from 'hither/memory'
import { createCache, tags, values } from 'hither/mini'
import { expect, it } from 'vitest'

const code = (code: string) => expect.objectContaining({ code })

it('a cache without options says what it needs, and a view without options is one', async () => {
  for (const options of [undefined, null]) {
    expect(() => createCache(options as never)).toThrow(code('INVALID_ARGUMENT'))
    expect(() => createFull(options as never)).toThrow(code('INVALID_ARGUMENT'))
  }
  const cache = createFull({ store: memoryStore(), ttl: '1m' })
  await cache.with(undefined as never).set('k', 1)
  expect(await cache.get('k')).toBe(1)
})
it('a cache without tags refuses every way to name one', async () => {
  const cache = createCache({ store: memoryStore(), ttl: '1m' })
  const named = { tags: ['t'] } as object
  await expect(cache.get('k', named)).rejects.toEqual(code('INVALID_ARGUMENT'))
  await expect(cache.set('k', 1, named)).rejects.toEqual(code('INVALID_ARGUMENT'))
  await expect(cache.getOrSet('k', () => 1, named)).rejects.toEqual(code('INVALID_ARGUMENT'))
  const naming = cache.getOrSet('k', ({ setTags }) => {
    setTags(['t'])
    return 1
  })
  await expect(naming).rejects.toEqual(code('INVALID_ARGUMENT'))
})
it('a cache without tags takes an entry that has some for absent, one with tags does not', async () => {
  const store = memoryStore()
  await createFull({ store, ttl: '1m' }).set('k', 1, { tags: ['t'] })
  expect(await createCache({ store }).get('k')).toBeUndefined()
  expect(await createCache({ store, tags: tags() }).get('k')).toBe(1)
})

const RICH = [
  new Date(0),
  1n,
  new Map([[1, 2]]),
  new Set([1]),
  new Uint8Array(2),
  Number.NaN,
  -0,
  [undefined],
  { $: new Date(1) },
]

it.each(RICH.map((value) => [value]))(
  'without values() %o is refused, and a miss where another cache has stored it',
  async (value) => {
    const events: string[] = []
    const store = memoryStore()
    const cache = createCache({ store, ttl: '1m', onEvent: ({ type }) => void events.push(type) })
    await expect(cache.set('k', { a: value })).rejects.toEqual(code('UNENCODABLE'))
    await createFull({ store, ttl: '1m' }).set('k', { a: value })
    expect(await cache.get('k')).toBeUndefined()
    expect(events).toContain('decode-failed')
    expect(await cache.getOrSet('k', () => 'loaded')).toBe('loaded')
    expect(await createFull({ store }).get('k')).toBe('loaded')
  },
)
it.each(RICH.map((value) => [value]))('with values() %o is kept as it is by the full cache', async (value) => {
  const store = memoryStore()
  const cache = createCache({ store, ttl: '1m', codec: values() })
  await cache.set('k', { a: value })
  expect(await createFull({ store }).get('k')).toEqual({ a: value })
  await createFull({ store, ttl: '1m' }).set('k', [value])
  expect(await cache.get('k')).toEqual([value])
})
it('plain data is the same for both faces, whatever its names are', async () => {
  const store = memoryStore()
  const cache = createCache({ store, ttl: '1m' })
  for (const value of [
    0,
    'x',
    '',
    null,
    true,
    1.5,
    [],
    {},
    { $: 1, v: [] },
    JSON.parse('{"__proto__":1,"toJSON":2}'),
  ]) {
    await cache.set('k', value)
    expect(await createFull({ store }).get('k')).toEqual(value)
    expect(await cache.get('k')).toEqual(value)
  }
})
it('a counter of the full cache is a number to a cache without values()', async () => {
  const store = memoryStore()
  await createFull({ store, ttl: '1m' }).increment('n', 5)
  expect(await createCache({ store }).get('n')).toBe(5)
})
it.each([{}, { mark: 'j' }, { encode: String, decode: String }])('a codec without a mark is refused: %o', (codec) => {
  expect(() => createCache({ store: memoryStore(), codec: codec as never })).toThrow(code('INVALID_ARGUMENT'))
})

it('a store that runs what an operation brings along refuses a small cache by name, and takes a full one', async () => {
  const memory = memoryStore()
  const foreign: AtomicStore = {
    ...memory,
    run: async (operation, key, args) => {
      const current = await memory.get(key)
      const { next, reply } = operation.apply(current, args, { nowUs: 1e15, leftMs: undefined })
      if (next !== undefined) await memory.set(key, next)
      return reply
    },
  }
  await expect(createCache({ store: foreign, ttl: '1m' }).set('k', 1)).rejects.toEqual(code('UNSUPPORTED'))
  const full = createFull({ store: foreign, ttl: '1m' })
  await full.set('k', 1)
  expect(await createCache({ store: foreign }).get('k')).toBe(1)
})

it('a store without operations is refused by a small cache when it is made, and taken by a full one', async () => {
  const { run: _, ...store } = memoryStore()
  expect(() => createCache({ store })).toThrow(code('UNSUPPORTED'))
  const full = createFull({ store, ttl: '1m' })
  await full.set('k', 1)
  expect(await full.get('k')).toBe(1)
})
