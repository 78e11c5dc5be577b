import { expect, it } from 'vitest'
import { cacheOf, createOrigin, lengthOf, storeWithParts, URL_A } from './support.ts'

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
