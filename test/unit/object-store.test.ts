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

it('writes of a key take effect in call order, although calls by two stubs of an object may overtake one another', async () => {
  const values = new Map<string, string>()
  const delays = [20, 0, 10, 0]
  const object = {
    read: async (keys: readonly string[]) =>
      keys.map((key) => (values.has(key) ? { value: values.get(key), endMs: 0, version: 1 } : undefined)),
    async put(key: string, value: string) {
      await new Promise((done) => setTimeout(done, delays.shift()))
      values.set(key, value)
    },
    async remove(keys: readonly string[]) {
      await new Promise((done) => setTimeout(done, delays.shift()))
      for (const key of keys) values.delete(key)
    },
  }
  const store = durableObjectStore({ idFromName: () => 'id', get: () => ({ ...object }) })
  const calls = [store.set('key', 'first'), store.set('key', 'second'), store.get('key')]
  expect((await Promise.all(calls))[2]).toBe('second')
  const more = [store.delete(['key']), store.set('key', 'third'), store.get('key')]
  expect((await Promise.all(more))[2]).toBe('third')
  expect(await store.get('key')).toBe('third')
})
