import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { hashed } from '../../../src/cache/hashed-keys.ts'
import { plain } from '../../../src/cache/parts/format-plain.ts'
import { type Cache, createCache } from '../../../src/index.ts'
import { nearTier } from '../../../src/near/index.ts'

const code = (code: string) => expect.objectContaining({ code })
const open = (near = false): Cache<'frozen'> =>
  createCache({ store: memoryStore(), ttl: '5m', ...(near && { near: nearTier() }) })

describe('a namespace is one name', () => {
  it('a name with a dot is refused, so that no two tenants share keys', () => {
    const store = memoryStore()
    for (const name of ['acme.com', '.', 'a.', '.a', 'a..b', 'a:b', 'a b', 'ä', '', 'a@b', 'a+b', 'a~b', 7 as never]) {
      expect(() => open().namespace(name)).toThrow(code('INVALID_KEY'))
      expect(() => createCache({ store, namespace: name })).toThrow(code('INVALID_KEY'))
    }
  })
  it('nested ones are apart from all others', async () => {
    const store = memoryStore()
    const root = createCache({ store, ttl: '5m', namespace: 'acme' })
    const spaces = [root, root.namespace('com'), root.namespace('com').namespace('x'), root.namespace('com_x')]
    for (const [i, cache] of spaces.entries()) await cache.set('k', i)
    await spaces[1]?.clear()
    expect(await Promise.all(spaces.map((cache) => cache.get('k')))).toEqual([0, undefined, 2, 3])
  })
})

for (const near of [false, true]) {
  describe(`keys of define, of wrap and of a call${near ? ', with a near tier' : ''}`, () => {
    it('are apart, under one name', async () => {
      const cache = open(near)
      const kind = cache.define({ name: 'user', key: (id: string) => id, load: (id) => `defined ${id}` })
      const wrapped = cache.wrap((id: string) => `wrapped ${id}`, { name: 'user', key: (id) => id })
      for (let i = 0; i < 2; i++) {
        expect(await cache.getOrSet('user:7', () => 'called')).toBe('called')
        expect(await kind.get('7')).toBe('defined 7')
        expect(await wrapped('7')).toBe('wrapped 7')
      }
      await cache.delete('user:7')
      expect(await kind.get('7')).toBe('defined 7')
      await kind.set('7', 'set')
      expect([await kind.get('7'), await wrapped('7'), await cache.get('user:7')]).toEqual([
        'set',
        'wrapped 7',
        undefined,
      ])
      expect(await kind.delete('7')).toBe(true)
      expect(await wrapped('7')).toBe('wrapped 7')
    })
    it('are reached by no key and from no namespace', async () => {
      const cache = open(near)
      const kind = cache.define({ name: 'user', key: (id: string) => id, load: () => 'defined' })
      await kind.get('7')
      const views = [cache, cache.namespace('user')]
      for (const view of views)
        for (const key of ['user:7', '@:user:7', '@user:7', ':user:7', '7', 'hither@:user:7', '\0hither@:user:7'])
          expect(await view.get(key)).toBeUndefined()
    })
    it('of two caches of one store are the same, and end with the namespace', async () => {
      const store = memoryStore()
      const caches = [1, 2].map(() => createCache({ store, ttl: '5m', ...(near && { near: nearTier() }) }))
      const kinds = caches.map((cache, i) => cache.define({ name: 'n', load: () => i }))
      expect(await kinds[0]?.get(1)).toBe(0)
      expect(await kinds[1]?.get(1)).toBe(0)
      await caches[1]?.clear()
      expect(await kinds[1]?.get(1)).toBe(1)
    })
    it('of a namespace and of a request view are those of their cache', async () => {
      const cache = open(near)
      const nested = cache.namespace('nested')
      const [one, two] = [cache, nested].map((view, i) => view.define({ name: 'n', load: () => i }))
      expect([await one?.get(1), await two?.get(1)]).toEqual([0, 1])
      const view = cache.with({ signal: new AbortController().signal })
      expect(await view.define({ name: 'n', load: () => 'loaded anew' }).get(1)).toBe(0)
    })
    it('of the plain format are as given', async () => {
      const store = memoryStore()
      const cache = createCache({ store, format: plain(), ttl: '5m', ...(near && { near: nearTier() }) })
      expect(await cache.wrap((id: string) => id, { name: 'user', key: (id) => id })('7')).toBe('7')
      expect(await store.get('user:7')).toBe('"7"')
    })
  })

  describe(`a key that is too long${near ? ', with a near tier' : ''}`, () => {
    const longKeys = hashed()
    const LONG = 'é'.repeat(600)
    it('is refused, or replaced by its SHA-256', async () => {
      await expect(open(near).get(LONG)).rejects.toEqual(code('INVALID_KEY'))
      const store = memoryStore()
      const caches = [1, 2].map(() => createCache({ store, longKeys, ttl: '5m', ...(near && { near: nearTier() }) }))
      const [cache, other] = caches as [Cache<'frozen'>, Cache<'frozen'>]
      const longs = [LONG, `${LONG}x`, 'x'.repeat(1017), `${'x'.repeat(1017)}y`, '馬'.repeat(340), 'y'.repeat(100_000)]
      // 1,016 characters are just short enough to be stored as they are.
      const keys = [...longs, 'x'.repeat(1016), 'x'.repeat(1017).slice(1), ...longs.map(longKeys)]
      for (const [i, key] of keys.entries()) await cache.set(key, i)
      expect(await other.getMany(keys)).toEqual(await cache.getMany(keys))
      const expected = keys.map((key) => keys.lastIndexOf(key))
      for (const [i, key] of keys.entries()) expect(await other.get(key)).toBe(expected[i])
      expect(await store.get(`hither~:${longKeys(LONG)}`)).toBeDefined()
      for (const key of longs) {
        expect(await cache.getOrSet(key, () => 'missed')).toBe(keys.indexOf(key))
        expect(cache.peek(key)).toBe(near ? keys.indexOf(key) : undefined)
        await cache.set(key, 'set')
        expect(await cache.get(key)).toBe('set')
        expect(await cache.delete(key)).toBe(1)
        expect(await cache.get(key)).toBeUndefined()
        expect((await cache.getEntry(key)).key).toBe(key)
        expect(await cache.getOrSet(key, ({ key }) => key.length)).toBe(key.length)
        expect(await cache.increment(`${key}n`)).toBe(1)
        expect(await cache.take(key)).toBe(key.length)
      }
    })
    it('of define and wrap too, and apart', async () => {
      const cache = createCache({ store: memoryStore(), longKeys, ttl: '5m', ...(near && { near: nearTier() }) })
      const kind = cache.define({ name: 'n', key: (id: string) => id, load: () => 'defined' })
      const wrapped = cache.wrap((_: string) => 'wrapped', { name: 'n', key: (id) => id })
      for (let i = 0; i < 2; i++) {
        expect(await kind.get(LONG)).toBe('defined')
        expect(await wrapped(LONG)).toBe('wrapped')
        expect(await cache.getOrSet(`n:${LONG}`, () => 'called')).toBe('called')
      }
    })
    it('is refused where it is malformed, and so is what is no function', async () => {
      const cache = createCache({ store: memoryStore(), longKeys, ttl: '5m', ...(near && { near: nearTier() }) })
      for (const bad of ['', 5 as never, `${LONG}\ud800`, `\udc00${LONG}`])
        await expect(cache.get(bad)).rejects.toEqual(code('INVALID_KEY'))
      expect(() => createCache({ store: memoryStore(), longKeys: 'sha256' as never })).toThrow(code('INVALID_ARGUMENT'))
      expect(() => createCache({ store: memoryStore(), format: plain(), longKeys } as never)).toThrow(
        code('INVALID_ARGUMENT'),
      )
    })
  })
}

describe('hashed', () => {
  it('is SHA-256, at every length about a block', async () => {
    const texts = [
      '',
      'abc',
      'žluťoučký 馬 👩‍👩‍👧',
      ...Array.from({ length: 140 }, (_, i) => 'x'.repeat(i)),
      'é'.repeat(100_000),
    ]
    for (const text of texts) {
      const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
      expect(hashed()(text)).toBe(Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join(''))
    }
  })
})

describe('wrap', () => {
  it('keeps this', async () => {
    const cache = open()
    class Users {
      readonly table = 'users'
      find = cache.wrap(
        function (this: Users, id: number) {
          return `${this.table} ${id}`
        },
        { name: 'find' },
      )
    }
    expect(await new Users().find(7)).toBe('users 7')
    const users = { table: 't', find: cache.wrap(method, { name: 'method' }) }
    function method(this: { table: string }, id: number): string {
      return `${this.table} ${id}`
    }
    expect(await users.find(1)).toBe('t 1')
    expect(await cache.wrap((id: number) => id, { name: 'plain' })(2)).toBe(2)
  })
})
