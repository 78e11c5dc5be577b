import { memoryStore } from 'hither/memory'
import { expect, it } from 'vitest'

it('runs in workerd', () => {
  expect(navigator.userAgent).toBe('Cloudflare-Workers')
})

const store = memoryStore()

it('answers through a store made at module level', async () => {
  await store.set('k', 'v')
  expect(await store.get('k')).toBe('v')
})
