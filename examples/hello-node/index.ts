/** The second call is a hit. `REDIS_URL=redis://127.0.0.1:6379 node index.ts` keeps it in Redis; without, in memory. */
import { createCache } from 'hither'
import { memoryStore } from 'hither/memory'
import { tcpStore } from 'hither/tcp'

const url = process.env.REDIS_URL
const cache = createCache({ store: url ? tcpStore({ url }) : memoryStore(), namespace: 'hello', ttl: '1m' })

const query = async (id: number): Promise<{ id: number; name: string }> => {
  console.log('the query runs')
  return { id, name: 'Ada' }
}
for (let i = 0; i < 2; i++) console.log(await cache.getOrSet('user:7', () => query(7)))
await cache.delete('user:7')
await cache.close()
