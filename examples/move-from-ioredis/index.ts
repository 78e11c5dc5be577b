/** In place of ioredis with an `lru-cache` before it. The client stays: `connect` gives it settings that cannot hang. */
import { createCache } from 'hither'
import { connect, ioredisStore } from 'hither/ioredis'
import { nearTier } from 'hither/near'

const client = await connect(process.env.REDIS_URL ?? 'redis://127.0.0.1:6379')
const cache = createCache({
  store: ioredisStore(client),
  namespace: 'moved',
  ttl: '1m',
  near: nearTier({ maxAge: '5s' }),
})

let loads = 0
const load = async (): Promise<string> => `loaded ${++loads}`
const answers = await Promise.all(Array.from({ length: 100 }, () => cache.getOrSet('user:7', load)))
await cache.get('user:7') // what was read is kept near: the next read asks nobody
console.log(new Set(answers).size, loads, cache.peek('user:7'))
await cache.delete('user:7')
await cache.close()
