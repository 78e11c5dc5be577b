import { afterEach, expect, it, vi } from 'vitest'
import { cacheOf, createOrigin, get, URL_A } from './support.ts'

afterEach(() => {
  vi.useRealTimers()
})

const fresh = { 'cache-control': 'max-age=60' }
const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1))

// Where a request may end without notice, no request waits for another one of its process: each reads the store.
it('requests of one process go on when the first client goes away', async () => {
  const cache = cacheOf()
  const origin = createOrigin()
  let more: () => void = () => {}
  origin.answers(() => {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('half'))
        more = () => {
          controller.enqueue(new TextEncoder().encode(' and half'))
          controller.close()
        }
      },
    })
    return new Response(body, { headers: fresh })
  })
  const first = await cache(new Request(URL_A), origin)
  const reader = first.body?.getReader()
  await reader?.read()
  const second = get(cache, origin)
  await tick()
  await reader?.cancel()
  more()
  expect((await second).body).toBe('half and half')
  expect(origin.asked.length).toBe(1)
})

it('a body that never ends is given up some time after the first client has left', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const cache = cacheOf()
  const origin = createOrigin()
  const cancel = vi.fn()
  origin.answers((_, count) => new Response(count === 1 ? new ReadableStream({ cancel }) : 'new', { headers: fresh }))
  const first = await cache(new Request(URL_A), origin)
  const second = get(cache, origin)
  await vi.advanceTimersByTimeAsync(1)
  await first.body?.cancel()
  await vi.advanceTimersByTimeAsync(5000)
  expect([(await second).body, cancel.mock.calls.length]).toEqual(['new', 0])
  const flushed = cache.flush()
  await vi.advanceTimersByTimeAsync(30_000)
  await flushed
  expect(cancel).toHaveBeenCalledOnce()
})
