import { type Cache, createCache } from 'hither'
import { embeddedStore } from 'hither/embedded'
import { plain } from 'hither/plain'
import { expect, it } from 'vitest'

it.each(['plain', 'entry'])(
  'a key of another Redis type is absent, and no counter, in the format %s',
  async (format) => {
    const store = embeddedStore()
    const send = (...args: (string | number)[]) => store.transport.send({ args, effect: 'once' })
    const cache =
      format === 'plain'
        ? createCache({ store, ttl: '1m', format: plain() })
        : createCache({ store, ttl: '1m', namespace: 'shop' })
    const stored = format === 'plain' ? 'key' : 'shop:key'
    await send('RPUSH', stored, 'theirs')
    // The second time the process remembers the generation, and the step of an entry runs without a read before it.
    for (const round of [1, 2]) {
      expect(await cache.ttl('key'), `ttl, ${round}`).toBeUndefined()
      expect(await cache.touch('key'), `touch, ${round}`).toBe(false)
      expect(await cache.take('key'), `take, ${round}`).toBeUndefined()
      expect(await cache.getEntry('key'), `getEntry, ${round}`).toMatchObject({ status: 'absent' })
      await expect(cache.increment('key'), `increment, ${round}`).rejects.toMatchObject({ code: 'WRONG_TYPE' })
      if (format === 'entry') expect(await (cache as Cache).expire('key'), `expire, ${round}`).toBe(false)
      await cache.set('other', 1)
    }
    expect(await send('LRANGE', stored, 0, -1)).toEqual(['theirs'])
    await expect(cache.add('key', 1)).rejects.toMatchObject({ code: 'STORE_REJECTED' })
    await cache.close()
  },
)
