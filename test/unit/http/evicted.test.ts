import type { AtomicStore } from 'hither'
import { memoryStore } from 'hither/memory'
import { expect, it } from 'vitest'
import { cacheOf, createOrigin, get, lengthOf, storeWithParts, URL_A } from './support.ts'

const LENGTH = 900_000

// Like a full server, which evicts one key and not the keys that belong to it.
it.each([
  ['first', 0, LENGTH],
  ['third', 2, 'cut'],
] as const)('a body whose %s part was evicted is fetched again, and stored', async (_, part, found) => {
  const { memory, store, parts } = storeWithParts()
  const cache = cacheOf({ store })
  const origin = createOrigin()
  origin.answers(() => new Response(new Uint8Array(LENGTH), { headers: { 'cache-control': 'max-age=3600' } }))
  const ask = async (): Promise<[number | 'cut', number]> => {
    const length = await lengthOf(await cache(new Request(URL_A), origin))
    await cache.flush()
    return [length, origin.asked.length]
  }
  expect(await ask()).toEqual([LENGTH, 1])
  expect(parts.length).toBe(4)
  await memory.delete([parts[part] as string])
  const asked = found === 'cut' ? 1 : 2
  expect(await ask()).toEqual([found, asked])
  expect(await ask()).toEqual([LENGTH, asked + 1])
  expect(await ask()).toEqual([LENGTH, asked + 1])
})

it('a body whose first part is shorter than it was stored is fetched again', async () => {
  const { memory, store, parts } = storeWithParts()
  const cache = cacheOf({ store })
  const origin = createOrigin()
  origin.answers(() => new Response(new Uint8Array(LENGTH), { headers: { 'cache-control': 'max-age=3600' } }))
  const ask = async () => lengthOf(await cache(new Request(URL_A), origin))
  expect(await ask()).toBe(LENGTH)
  await memory.setBytes?.(parts[0] as string, new Uint8Array(10), 60_000)
  expect([await ask(), origin.asked.length]).toEqual([LENGTH, 2])
})

it('a response whose record was lost before a purge is not stored, though the next request has made a new record', async () => {
  const memory = memoryStore()
  const records = new Set<string>()
  const store: AtomicStore = {
    ...memory,
    run(operation, key, ...rest) {
      if (operation.name === 'http.begin') records.add(key)
      return memory.run(operation, key, ...rest)
    },
  }
  const options = { store, collapseTimeout: 50 }
  const [cache, other] = [cacheOf(options), cacheOf(options)]
  const origin = createOrigin()
  const held = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
  origin.answers(async (_, count) => {
    await held[count - 1]?.promise
    return new Response(`${count}`, { headers: { 'cache-control': 'max-age=60' } })
  })
  const began = async (count: number): Promise<void> => {
    while (origin.asked.length < count) await new Promise((wait) => setTimeout(wait))
  }
  const first = get(cache, origin)
  await began(1)
  await memory.delete([...records])
  await other.purge({ url: URL_A })
  const second = get(other, origin)
  await began(2)
  held[0].resolve()
  expect((await first).body).toBe('1')
  expect((await get(cache, origin)).body).toBe('3')
  held[1].resolve()
  expect((await second).body).toBe('2')
})
