import { describe, expect, it } from 'vitest'
import { tcpStore } from '../../../adapters/tcp/index.ts'

describe('hither/tcp in workerd', () => {
  it.each([
    ['unix:///run/redis.sock', {}, 'Workers have no Unix sockets'],
    ['rediss://127.0.0.1:1', { tls: { ca: 'x' } }, 'Workers take no TLS options'],
  ])('refuses what its sockets cannot: %s', async (url, options, message) => {
    const store = tcpStore({ url, ...options })
    const refused = { code: 'UNSUPPORTED', maybeExecuted: false, message: expect.stringContaining(message) }
    await expect(store.set('k', 'v')).rejects.toMatchObject(refused)
    await store.close()
  })
})
