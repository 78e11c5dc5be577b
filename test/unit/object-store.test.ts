import { expect, it } from 'vitest'
import { durableObjectStore } from '../../adapters/cloudflare/object-store.ts'

it('a Durable Object that answers for a part of the keys is asked for the others', async () => {
  const asked: (readonly string[])[] = []
  const object = {
    async read(keys: readonly string[]) {
      asked.push(keys)
      return keys.slice(0, 2).map((key) => (key === 'none' ? undefined : { value: key, endMs: 0, version: 1 }))
    },
  }
  const store = durableObjectStore({ idFromName: () => 'id', get: () => object })
  expect(await store.getMany(['a', 'none', 'b', 'c', 'd', 'a'])).toEqual(['a', undefined, 'b', 'c', 'd', 'a'])
  expect(asked).toEqual([['a', 'none', 'b', 'c', 'd'], ['b', 'c', 'd'], ['d']])
})
