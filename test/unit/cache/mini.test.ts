import { createCache as createFull } from 'hither'
import { memoryStore } from 'hither/memory'
import { createCache, tags } from 'hither/mini'
import { expect, it } from 'vitest'

const code = (code: string) => expect.objectContaining({ code })

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
