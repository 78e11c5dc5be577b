import { expect, it, vi } from 'vitest'
import { cacheOf, createOrigin, lengthOf, URL_A } from './support.ts'

// As on workerd, which may have decoded a body, or may be going to encode it, whatever Content-Encoding says.
vi.mock('../../../src/runtime/background.ts', async (original) => ({
  ...(await original<typeof import('../../../src/runtime/background.ts')>()),
  REQUEST_SCOPED: true,
}))

const text = new TextEncoder().encode('hello'.repeat(20_000))
const gzip = new Uint8Array(100_000).fill(7)
gzip.set([0x1f, 0x8b, 8])

it.each([
  ['gzip', 'are', gzip, 'hit'],
  ['gzip', 'are', gzip.slice(0, 100), 'hit'],
  ['GZIP', 'are not', text, 'fwd=uri-miss'],
  ['gzip', 'are not', text.slice(0, 100), 'fwd=uri-miss'],
  ['br', 'may be', text, 'fwd=uri-miss'],
  ['identity', 'are not', text, 'hit'],
])(
  'a body is stored only if its bytes are what Content-Encoding says: %s, which they %s',
  async (coding, _, bytes, story) => {
    const cache = cacheOf()
    const origin = createOrigin()
    origin.answers(() => {
      const headers = { 'cache-control': 'max-age=60', 'content-encoding': coding }
      return new Response(bytes, { headers, encodeBody: 'manual' } as ResponseInit)
    })
    const ask = async () => {
      const response = await cache(new Request(URL_A), origin)
      return [response.headers.get('cache-status')?.split('; ')[1], await lengthOf(response)]
    }
    expect(await ask()).toEqual(['fwd=uri-miss', bytes.length])
    expect(await ask()).toEqual([story, bytes.length])
  },
)
