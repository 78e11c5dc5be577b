import { createCache } from 'hither'
import { tcpStore } from 'hither/tcp'

/** A Worker that connects to Redis by sockets. What a request opens ends with it. */
export default {
  async fetch(request: Request, env: { readonly REDIS: string }): Promise<Response> {
    const { searchParams } = new URL(request.url)
    const store = tcpStore(env.REDIS)
    const cache = createCache({ store, namespace: 'worker', ttl: '1m' })
    const key = searchParams.get('key') ?? 'none'
    const large = 'ü'.repeat(Number(searchParams.get('size') ?? 1))
    try {
      let loads = 0
      const load = (): string => {
        loads++
        return large
      }
      const first = await cache.getOrSet(key, load)
      const second = await cache.getOrSet(key, load)
      const counts = await Promise.all(Array.from({ length: 100 }, () => cache.increment(`${key}:n`)))
      return Response.json({ loads, whole: first === large && second === large, last: Math.max(...counts) })
    } catch (error) {
      const { code, message } = error as { code?: unknown; message?: unknown }
      return Response.json({ code, message })
    } finally {
      await cache.close()
      await store.close()
    }
  },
}
