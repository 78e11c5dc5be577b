import { gzipSync } from 'node:zlib'
import { type CacheEvent, createCache, isHitherError } from 'hither'
import { compressed, encrypted, json } from 'hither/codec'
import { memoryStore } from 'hither/memory'
import { describe, expect, it } from 'vitest'

const secret = (fill: number): Uint8Array => new Uint8Array(32).fill(fill)
const code = (work: () => unknown): unknown => {
  try {
    return work()
  } catch (error) {
    return isHitherError(error) ? error.code : error
  }
}
const rich = { at: new Date(1), n: 2n, m: new Map([['a', new Set([1])]]), b: new Uint8Array([0, 255]), s: 'é\ud800' }

describe('compressed', () => {
  it('keeps what the codec inside keeps, short and long', async () => {
    const codec = compressed({ above: 100 })
    for (const value of [rich, 'x'.repeat(5000), null, 0, { long: 'ab'.repeat(400_000) }]) {
      const text = await codec.encode(value, 'k')
      expect(await codec.decode(text, 'k')).toEqual(value)
    }
  })
  it('shrinks long text, and leaves alone what is short or would grow', async () => {
    const codec = compressed({ above: 100 })
    expect((await codec.encode('x'.repeat(5000), 'k')).length).toBeLessThan(200)
    expect(await codec.encode('x'.repeat(90), 'k')).toBe(`-j"${'x'.repeat(90)}"`)
    const noise = Buffer.from(crypto.getRandomValues(new Uint8Array(600))).toString('base64')
    expect(await codec.encode(noise, 'k')).toBe(`-j"${noise}"`)
  })
  it('stops inflating at its bound', async () => {
    const codec = compressed({ maxBytes: 100_000 })
    const bomb = `z${gzipSync(Buffer.alloc(50_000_000)).toString('base64')}`
    const outcome = await Promise.resolve(codec.decode(bomb, 'k')).catch((error: unknown) => error)
    expect(outcome).toMatchObject({ code: 'VALUE_TOO_LARGE' })
    const fits = `z${gzipSync(Buffer.from(`j"${'x'.repeat(99_000)}"`)).toString('base64')}`
    expect(await codec.decode(fits, 'k')).toHaveLength(99_000)
  })
  it('stores no value that it would not read: what is above its bound is not compressed', async () => {
    const cache = createCache({ store: memoryStore(), ttl: '1m', codec: compressed() })
    const large = 'x'.repeat(8_388_609)
    await expect(cache.set('k', large)).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' })
    const codec = compressed({ maxBytes: 2000 })
    for (const length of [1997, 1998, 3000]) {
      const text = await codec.encode('x'.repeat(length), 'k')
      expect(text[0]).toBe(length === 1997 ? 'z' : '-')
      expect(await codec.decode(text, 'k')).toHaveLength(length)
    }
  })
  it('rejects text that is no gzip', async () => {
    const codec = compressed()
    for (const text of ['z!!', `z${btoa('no gzip at all')}`, 'z']) {
      await expect(Promise.resolve().then(() => codec.decode(text, 'k'))).rejects.toThrow()
    }
  })
  it('refuses bounds that make no sense', () => {
    expect(code(() => compressed({ above: -1 }))).toBe('INVALID_ARGUMENT')
    expect(code(() => compressed({ maxBytes: Number.NaN }))).toBe('INVALID_ARGUMENT')
  })
})

describe('encrypted', () => {
  const keys = [{ id: 'a', secret: secret(1) }]
  it('keeps what the codec inside keeps, and shows nothing of it', async () => {
    const codec = encrypted({ keys, codec: compressed({ above: 10 }) })
    const text = await codec.encode(rich, 'k')
    expect(text).toMatch(/^a\.[A-Za-z0-9+/]+=*$/)
    expect(await codec.decode(text, 'k')).toEqual(rich)
  })
  it('gives equal values different text', async () => {
    const codec = encrypted({ keys })
    expect(await codec.encode('same', 'k')).not.toBe(await codec.encode('same', 'k'))
  })
  it('accepts no text of another key, no altered byte, no other secret', async () => {
    const codec = encrypted({ keys })
    const text = await codec.encode('value', 'k1')
    const opens = (other: string, key: string, by = codec): Promise<boolean> =>
      Promise.resolve()
        .then(() => by.decode(other, key))
        .then(
          () => true,
          () => false,
        )
    expect(await opens(text, 'k1')).toBe(true)
    expect(await opens(text, 'k2')).toBe(false)
    expect(await opens(text.replace('a.', 'b.'), 'k1', encrypted({ keys: [{ id: 'b', secret: secret(1) }] }))).toBe(
      false,
    )
    expect(await opens(text, 'k1', encrypted({ keys: [{ id: 'a', secret: secret(2) }] }))).toBe(false)
    const bytes = Buffer.from(text.slice(2), 'base64')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const altered = Buffer.from(bytes)
      altered[bit >> 3] = (altered[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(await opens(`a.${altered.toString('base64')}`, 'k1')).toBe(false)
    }
  })
  it('reads under an old key and writes under the first', async () => {
    const old = encrypted({ keys: [{ id: '1', secret: secret(1) }] })
    const both = encrypted({
      keys: [
        { id: '2', secret: Buffer.from(secret(2)).toString('base64') },
        { id: '1', secret: secret(1) },
      ],
    })
    expect(await both.decode(await old.encode('v', 'k'), 'k')).toBe('v')
    expect(await both.encode('v', 'k')).toMatch(/^2\./)
  })
  it('refuses an id that comes twice, whether the secrets are the same or not', () => {
    for (const other of [secret(1), secret(2)]) {
      const twice = [...keys, { id: 'b', secret: secret(3) }, { id: 'a', secret: other }]
      expect(code(() => encrypted({ keys: twice }))).toBe('INVALID_ARGUMENT')
    }
  })
  it('refuses what is no list of keys, with a code', () => {
    for (const bad of [undefined, null, {}, { keys: { id: 'a', secret: secret(1) } }, { keys: [null] }]) {
      expect(code(() => encrypted(bad as never))).toBe('INVALID_ARGUMENT')
    }
    const alike = [...keys, { id: 1, secret: secret(2) }, { id: '1', secret: secret(3) }]
    expect(code(() => encrypted({ keys: alike as never }))).toBe('INVALID_ARGUMENT')
  })
  it('refuses keys that are missing, short, or oddly named, without showing them', () => {
    for (const bad of [
      [],
      [{ id: 'a', secret: new Uint8Array(31) }],
      [{ id: 'a.b', secret: secret(1) }],
      [{ id: 'a', secret: '*canary*' }],
    ]) {
      expect(code(() => encrypted({ keys: bad }))).toBe('INVALID_ARGUMENT')
    }
    expect(() => encrypted({ keys: [{ id: 'a', secret: '*canary*' }] })).not.toThrow(/canary/)
  })
})

describe('options that there are not', () => {
  const keys = [{ id: 'a', secret: secret(1) }]
  it.each<[what: string, make: () => unknown, name: string]>([
    ['compressed', () => compressed({ abve: 1 } as never), 'abve'],
    ['compressed', () => compressed({ constructor: 1 } as never), 'constructor'],
    ['encrypted', () => encrypted({ keys, maxBytes: 1 } as never), 'maxBytes'],
    ['encrypted', () => encrypted({ keys, key: keys } as never), 'key'],
    ['a key of encrypted', () => encrypted({ keys: [{ ...keys[0], kid: 'x' }] } as never), 'kid'],
  ])('are refused by name: %s', (what, make, name) => {
    expect(make).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: `${what} has no option ${name}` }),
    )
  })
  it.each(['x', null, [], 1])('so is %j in their place', (bad) => {
    expect(code(() => compressed(bad as never))).toBe('INVALID_ARGUMENT')
    expect(code(() => encrypted(bad as never))).toBe('INVALID_ARGUMENT')
  })
  it.each(['gzip', {}, { mark: 'X' }, null])('so is a codec that is none: %j', (codec) => {
    expect(code(() => compressed({ codec } as never))).toBe('INVALID_ARGUMENT')
    expect(code(() => encrypted({ keys, codec } as never))).toBe('INVALID_ARGUMENT')
  })
})

describe('a cache with a codec', () => {
  it('gives the same on a miss and on a hit, and meets a foreign codec with a miss and an event', async () => {
    const store = memoryStore()
    const events: CacheEvent['type'][] = []
    const codec = encrypted({ keys: [{ id: 'a', secret: secret(1) }], codec: compressed() })
    const cache = createCache({ store, codec })
    const plain = createCache({ store, onEvent: ({ type }) => events.push(type) })
    expect(await cache.getOrSet('k', () => rich)).toEqual(rich)
    expect(await cache.get('k')).toEqual(rich)
    expect(await plain.get('k')).toBeUndefined()
    expect(events).toEqual(['decode-failed', 'miss'])
    expect(await plain.getOrSet('k', () => 1)).toBe(1)
    expect(await cache.increment('n')).toBe(1)
    expect(await cache.get('n')).toBe(1)
    await cache.set('c', 'canary')
    expect(await store.get('hither:c')).toMatch(/^hE.*a\.[\w+/]+=*$/)
    expect(await store.get('hither:c')).not.toContain('canary')
  })
  it.each(['get', 'getOrSet', 'getMany', 'getEntry', 'take', 'previous'])(
    'takes no entry of a cache without one: %s',
    async (way) => {
      for (const value of ['text', { role: 'admin' }, 1.5, -0, new Date(1), null]) {
        const store = memoryStore()
        const events: CacheEvent['type'][] = []
        const codec = encrypted({ keys: [{ id: 'a', secret: secret(1) }] })
        const cache = createCache({ store, codec, ttl: '1m', grace: '1m', onEvent: ({ type }) => events.push(type) })
        await createCache({ store, ttl: '1m', grace: '1m' }).set('k', value)
        if (way === 'previous') {
          await cache.expire('k')
          expect(await cache.getOrSet('k', ({ previous }) => previous === undefined)).toBe(true)
          continue
        }
        if (way === 'getOrSet') expect(await cache.getOrSet('k', () => 'loaded')).toBe('loaded')
        if (way === 'get') expect(await cache.get('k')).toBeUndefined()
        if (way === 'getMany') expect(await cache.getMany(['k'])).toEqual(new Map())
        if (way === 'getEntry') expect((await cache.getEntry('k')).value).toBeUndefined()
        if (way === 'take') expect(await cache.take('k')).toBeUndefined()
        expect(events).toContain('decode-failed')
        expect(events).not.toContain('hit')
      }
    },
  )
  it('takes a counter for a whole number and nothing else', async () => {
    const store = memoryStore()
    const codec = encrypted({ keys: [{ id: 'a', secret: secret(1) }] })
    const cache = createCache({ store, codec })
    expect(await cache.increment('n', -5)).toBe(-5)
    expect(await cache.get('n')).toBe(-5)
    const text = (await store.get('hither:n')) ?? ''
    for (const forged of ['{"role":"admin"}', '"x"', '1.5', '1e3', '01', ' 1', '', '-0', '9007199254740993', '[1]']) {
      await store.set('hither:n', text.slice(0, -2) + forged, undefined)
      expect(await cache.get('n')).toBeUndefined()
      expect(await createCache({ store }).get('n')).toBeUndefined()
    }
  })
  it('wraps the JSON codec by itself', async () => {
    expect(await json.decode(await json.encode(rich, 'k'), 'k')).toEqual(rich)
  })
})

describe('a codec of the caller', () => {
  /** A promise of a library, or of another realm: no `instanceof` recognizes it. */
  class Foreign<T> implements PromiseLike<T> {
    readonly inner: Promise<T>
    constructor(inner: Promise<T>) {
      this.inner = inner
    }
    // biome-ignore lint/suspicious/noThenProperty: it is a thenable on purpose
    then<A, B>(ok?: ((value: T) => A | PromiseLike<A>) | null, no?: ((reason: unknown) => B | PromiseLike<B>) | null) {
      return new Foreign(this.inner.then(ok, no)) as unknown as PromiseLike<A | B>
    }
  }
  const foreign = <T>(value: T): Promise<T> => new Foreign(Promise.resolve(value)) as unknown as Promise<T>

  it('may return promises of any kind', async () => {
    const codec = {
      mark: 'F',
      encode: (value: unknown) => foreign(JSON.stringify(value)),
      decode: (text: string) => foreign(JSON.parse(text)),
    }
    const cache = createCache({ store: memoryStore(), ttl: '1m', codec })
    for (let i = 0; i < 2; i++) {
      await cache.set('k', { i })
      expect(await cache.get('k')).toEqual({ i })
      expect([...(await cache.getMany(['k'])).values()]).toEqual([{ i }])
    }
    expect(await cache.getOrSet('l', () => [1])).toEqual([1])
    expect(await cache.getOrSet('l', () => [2])).toEqual([1])
  })
  it.each([[undefined], [5], [null], [Promise.resolve(5)], [new Uint8Array(1)]])(
    'that encodes to no text is refused: %#',
    async (encoded) => {
      const codec = { mark: 'N', encode: () => encoded as never, decode: (text: string) => text }
      const cache = createCache({ store: memoryStore(), ttl: '1m', codec })
      for (let i = 0; i < 2; i++) await expect(cache.set('k', 'v')).rejects.toMatchObject({ code: 'UNENCODABLE' })
      await expect(cache.getOrSet('k', () => 'v')).rejects.toMatchObject({ code: 'UNENCODABLE' })
    },
  )
})
