import { createCache } from 'hither'
import { compressed, encrypted } from 'hither/codec'
import { memoryStore } from 'hither/memory'
import { expect, it } from 'vitest'

const value = { at: new Date(1), n: 2n, text: 'ab'.repeat(5000) }
const keys = [{ id: 'a', secret: new Uint8Array(32).fill(1) }]

it('encrypts', async () => {
  const cache = createCache({ store: memoryStore(), codec: encrypted({ keys }) })
  await cache.set('k', value)
  expect(await cache.get('k')).toEqual(value)
})

it('compresses, or says at once that the runtime cannot', async () => {
  const edge = 'EdgeRuntime' in globalThis
  expect(typeof CompressionStream).toBe(edge ? 'undefined' : 'function')
  if (edge) return expect(() => compressed()).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }))
  const cache = createCache({ store: memoryStore(), codec: compressed() })
  await cache.set('k', value)
  expect(await cache.get('k')).toEqual(value)
})
