import { createHttpCache } from 'hither/http'
import { memoryStore } from 'hither/memory'
import { describe, expect, it } from 'vitest'

const STREAMS = 100
const PIECE_BYTES = 65_536
const CHUNK_BYTES = 262_144

/** A store that keeps bodies elsewhere: it counts their bytes, and makes them again for a read. */
function countingStore() {
  const counts = { written: 0, reads: 0 }
  const store = Object.assign(memoryStore(), {
    async setBytes(_: string, bytes: Uint8Array): Promise<void> {
      await Promise.resolve()
      counts.written += bytes.length
    },
    async getBytes(): Promise<Uint8Array> {
      counts.reads++
      return new Uint8Array(CHUNK_BYTES)
    },
  })
  return { store, counts }
}

/** Most bytes that the cache had from its origin and had not yet written to the store, while all bodies stream at one pace. */
async function mostHeld(bodyBytes: number): Promise<number> {
  const { store, counts } = countingStore()
  const cache = createHttpCache({ store })
  const origin = { sent: 0 }
  const next = (): Response => {
    let left = bodyBytes / PIECE_BYTES
    const body = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          if (left-- === 0) return controller.close()
          origin.sent += PIECE_BYTES
          controller.enqueue(new Uint8Array(PIECE_BYTES))
        },
      },
      { highWaterMark: 0 },
    )
    return new Response(body, { headers: { 'cache-control': 'max-age=60' } })
  }
  const urls = Array.from({ length: STREAMS }, (_, i) => `https://a.example/${i}`)
  const bodies = await Promise.all(
    urls.map(async (url) => (await cache(new Request(url), next)).body as ReadableStream),
  )
  const readers = bodies.map((body) => body.getReader())
  let most = 0
  for (let isDone = false; !isDone; ) {
    isDone = (await Promise.all(readers.map((reader) => reader.read()))).every(({ done }) => done)
    most = Math.max(most, origin.sent - counts.written)
  }
  await cache.flush()
  expect(counts.written).toBe(STREAMS * bodyBytes)
  expect((await cache(new Request(urls[0] as string), next)).headers.get('cache-status')).toContain('hit')
  return most
}

describe(`${STREAMS} large bodies at once`, () => {
  it('are held for less than two chunks each on their way to the store, however long they are', {
    timeout: 60_000,
  }, async () => {
    const [short, long] = [await mostHeld(4 * CHUNK_BYTES), await mostHeld(12 * CHUNK_BYTES)]
    expect(short).toBeLessThan(2 * CHUNK_BYTES * STREAMS)
    expect(long).toBe(short)
  })
  it('are asked of the origin a part ahead of what clients read, and no faster', async () => {
    const cache = createHttpCache({ store: countingStore().store })
    let sent = 0
    const next = (): Response => {
      const body = new ReadableStream<Uint8Array>(
        {
          pull(controller) {
            sent++
            controller.enqueue(new Uint8Array(PIECE_BYTES))
          },
        },
        { highWaterMark: 0 },
      )
      return new Response(body, { headers: { 'cache-control': 'max-age=60' } })
    }
    const response = await cache(new Request('https://a.example/'), next)
    await cache.flush()
    expect(sent).toBe(1)
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    for (let i = 1; i <= 10; i++) {
      await reader.read()
      expect(sent).toBeLessThanOrEqual(i + 1)
    }
    await reader.cancel()
    await cache.flush()
  })
  it('are read from the store a chunk at a time, the first before the response', async () => {
    const { store, counts } = countingStore()
    const cache = createHttpCache({ store })
    const next = (): Response =>
      new Response(new Uint8Array(8 * CHUNK_BYTES), { headers: { 'cache-control': 'max-age=60' } })
    await (await cache(new Request('https://a.example/'), next)).arrayBuffer()
    const response = await cache(new Request('https://a.example/'), next)
    expect([response.headers.get('cache-status'), counts.reads]).toEqual([expect.stringContaining('hit'), 1])
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    for (let i = 1; i <= 8; i++) {
      await reader.read()
      expect(counts.reads).toBe(i)
    }
    expect((await reader.read()).done).toBe(true)
  })
  it('of text, which Node’s servers send, are passed on and not stored', async () => {
    let count = 0
    const next = (): Response => {
      count++
      const source = new ReadableStream<unknown>({
        start(controller) {
          for (const part of ['abc', '', new Uint8Array([100]), 'é']) controller.enqueue(part)
          controller.close()
        },
      }) as ReadableStream<Uint8Array>
      // The body of a `Response` is replaced, since some runtimes take no text there.
      return Object.defineProperty(new Response(source, { headers: { 'cache-control': 'max-age=60' } }), 'body', {
        value: source,
      })
    }
    const { store, counts } = countingStore()
    const cache = createHttpCache({ store })
    for (let i = 1; i < 3; i++) {
      const response = await cache(new Request('https://a.example/text'), next)
      const reader = (response.body as ReadableStream<unknown>).getReader()
      const parts: unknown[] = []
      // workerd passes on no empty part.
      for (let part = await reader.read(); !part.done; part = await reader.read())
        if (part.value !== '') parts.push(part.value)
      expect([count, ...parts]).toEqual([i, 'abc', new Uint8Array([100]), 'é'])
    }
    expect(counts.written).toBe(0)
  })
  it('of text come at the pace of their client', async () => {
    let pulls = 0
    const source = new ReadableStream<unknown>({
      pull(controller) {
        controller.enqueue('x'.repeat(65_536))
        if (++pulls === 300) controller.close()
      },
    }) as ReadableStream<Uint8Array>
    const response = Object.defineProperty(
      new Response(source, { headers: { 'cache-control': 'max-age=60' } }),
      'body',
      {
        value: source,
      },
    )
    const passed = await createHttpCache({ store: memoryStore() })(new Request('https://a.example/'), () => response)
    await passed.body?.getReader().read()
    for (let i = 0; i < 1000; i++) await Promise.resolve()
    expect(pulls).toBeLessThan(20)
  })
})
