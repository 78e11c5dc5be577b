/** A slow loader: after the first call, callers get the stale value at once while one refresh runs. */
import { setTimeout as sleep } from 'node:timers/promises'
import { createCache } from 'hither'
import { memoryStore } from 'hither/memory'

const cache = createCache({ store: memoryStore(), ttl: '50ms', grace: '1h' })
let version = 0
const slow = async (): Promise<string> => {
  await sleep(30)
  return `version ${++version}`
}
const ask = (): Promise<string> => cache.getOrSet('news', slow, { softTimeout: 0 })

console.log(await ask(), '(loaded)')
await sleep(60)
console.log(await ask(), '(stale, a refresh runs)')
await cache.flush()
console.log(await ask(), '(fresh)')
await cache.close()
