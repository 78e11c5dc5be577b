import { describe, expect, it } from 'vitest'
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

describe('reads of one run of microtasks', () => {
  function counted() {
    const sent: (readonly string[] | string)[] = []
    const object = {
      async read(keys: readonly string[]) {
        sent.push(keys)
        return keys.map((key) => ({ value: key, endMs: 0, version: 1 }))
      },
      put: async (key: string) => void sent.push(key),
    }
    return { sent, store: durableObjectStore({ idFromName: () => 'id', get: () => object }) }
  }
  it('are one message to an object', async () => {
    const { sent, store } = counted()
    const results = await Promise.all([store.get('a'), store.getMany(['b', 'a']), store.get('b'), store.get('c')])
    expect([results, sent]).toEqual([['a', ['b', 'a'], 'b', 'c'], [['a', 'b', 'c']]])
    await store.get('a')
    expect(sent).toHaveLength(2)
  })
  it('are sent before a write that was called after them', async () => {
    const { sent, store } = counted()
    await Promise.all([store.get('a'), store.set('a', 'new'), store.get('b')])
    expect(sent).toEqual([['a'], 'a', ['b']])
  })
  it('take as many messages as hold their keys, and one caller may leave the others', async () => {
    const { sent, store } = counted()
    const many = (name: string) => Array.from({ length: 6000 }, (_, i) => `${name}${i}`)
    const leaving = store.get('a', { deadline: 1 })
    await Promise.all([store.getMany(many('a')), store.getMany(many('b')), expect(leaving).rejects.toThrow('deadline')])
    expect(sent.map(({ length }) => length)).toEqual([6000, 6000])
  })
  it('are sent before a write that was called after them, also when they fill more than one message', async () => {
    const { sent, store } = counted()
    const keys = Array.from({ length: 10_000 }, (_, i) => `${i}`)
    await Promise.all([store.getMany(keys), store.get('a'), store.set('0', 'new')])
    expect(sent.map((message) => (typeof message === 'string' ? message : message.length))).toEqual([10_000, 1, '0'])
  })
  it('wait for no message but those with their keys, and share no error of another', async () => {
    const replies = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    let asked = 0
    const object = {
      async read(keys: readonly string[]) {
        await replies[asked++]?.promise
        return keys.slice(0, 2).map((key) => ({ value: key, endMs: 0, version: 1 }))
      },
    }
    const store = durableObjectStore({ idFromName: () => 'id', get: () => object })
    const large = store.getMany(['a', 'b', 'c', 'd'])
    const small = [store.get('x'), store.getMany(['x', 'y'])]
    replies[0]?.resolve()
    expect(await Promise.all(small)).toEqual(['x', ['x', 'y']])
    replies[1]?.reject(new Error('reset'))
    await expect(large).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(asked).toBe(2)
  })
})
