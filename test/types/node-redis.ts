import { nodeRedisStore } from 'hither/node-redis'
import { createClient } from 'redis'
import { createClient as createClient5 } from 'redis5'

nodeRedisStore(createClient({ disableOfflineQueue: true }))
nodeRedisStore(createClient5({ disableOfflineQueue: true }))
// @ts-expect-error a promise of a client is no client
nodeRedisStore(createClient().connect())
