import { memoryStore } from 'hither/memory'
import { expect, it } from 'vitest'

it('runs in the edge runtime', () => {
  expect((globalThis as { EdgeRuntime?: unknown }).EdgeRuntime).toBe('edge-runtime')
  expect(() => new Function('return 1')).toThrow(/Code generation from strings/)
})

it('answers', async () => {
  const store = memoryStore()
  await store.set('k', 'v')
  expect(await store.get('k')).toBe('v')
})
