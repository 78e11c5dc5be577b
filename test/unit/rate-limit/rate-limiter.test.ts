import { memoryStore } from 'hither/memory'
import { createRateLimiter, fixedWindow, slidingLog } from 'hither/rate-limit'
import { expect, it } from 'vitest'

it('limits', async () => {
  const store = memoryStore()
  const limiter = createRateLimiter({ store, algorithm: slidingLog({ limit: 2, window: '1m' }), outage: 'closed' })
  expect(await limiter.limit('a')).toMatchObject({
    success: true,
    limit: 2,
    remaining: 1,
    retryAfterMs: 0,
    reason: 'ok',
  })
  expect(await limiter.limit('a')).toMatchObject({ success: true, remaining: 0 })
  expect(await limiter.limit('a')).toMatchObject({ success: false, remaining: 0, reason: 'limited' })
  expect(await limiter.limit('b')).toMatchObject({ success: true })
  await limiter.refund('a')
  expect(await limiter.limit('a')).toMatchObject({ success: true })
  const w = createRateLimiter({ store, algorithm: fixedWindow({ limit: 2, window: '1m' }), outage: 'closed' })
  await w.block('a', '1s')
  expect(await w.limit('a')).toMatchObject({ success: false, reason: 'blocked', remaining: 2 })
})
