import { createCache, type HitherError, type Operation } from 'hither'
import { type ObjectNamespace, RedisObject, redisObjectStore } from 'hither/cloudflare'

export { RedisObject }

interface Env {
  readonly REDIS_OBJECT: ObjectNamespace
  readonly REDIS_URL: string
}

const bump: Operation<never[], number> = {
  name: 'test.bump',
  effect: 'once',
  lua: `return redis.call('INCR', KEYS[1])`,
  apply: () => ({ next: '1', ttl: 'none', reply: 1 }),
}

let store: ReturnType<typeof redisObjectStore> | undefined

/** What a test may ask of the store. Each isolate has one store, as in an application. */
const jobs: Record<string, (store: ReturnType<typeof redisObjectStore>, key: string) => Promise<unknown>> = {
  async text(redis, key) {
    await redis.set(key, 'é\0\r\n', 60_000)
    const bytes = new Uint8Array([0, 255, 13, 10])
    await redis.setBytes?.(`${key}:bytes`, bytes, 60_000)
    const found = await redis.getBytes?.(`${key}:bytes`)
    return [await redis.getMany([key, `${key}:none`]), [...(found ?? [])], await redis.delete([key, `${key}:none`])]
  },
  async order(redis, key) {
    const steps = [redis.set(key, '1'), redis.get(key), redis.set(key, '2'), redis.get(key), redis.delete([key])]
    return [...(await Promise.all(steps)), await redis.get(key)]
  },
  sums: (redis, key) => Promise.all(Array.from({ length: 50 }, () => redis.run(bump, key, []))),
  async large(redis, key) {
    const value = 'ü'.repeat(3_000_000)
    await redis.set(key, value, 60_000)
    return (await redis.get(key)) === value
  },
  async cache(redis, key) {
    const cache = createCache({ store: redis, namespace: 'object', ttl: '1m', storeTimeout: '10s' })
    let loads = 0
    const load = () => cache.getOrSet(key, () => ++loads, { tags: ['t'] })
    const before = [await load(), await load()]
    await cache.invalidateTags(['t'])
    return [...before, await load()]
  },
  transaction: (redis, key) =>
    redis.transport.transaction([
      { args: ['SET', key, '1'], effect: 'once' },
      { args: ['LPUSH', key, '1'], effect: 'once' },
      { args: ['INCR', key], effect: 'once' },
    ]),
  refused: (redis) => redis.transport.transaction([{ args: ['NO-SUCH-COMMAND'], effect: 'once' }]),
  async wrong(redis, key) {
    await redis.command([key], ['RPUSH', key, 'x'], 'once')
    return [(await redis.get(key)) ?? 'absent', await redis.command([key], ['INCR', key], 'once')]
  },
  late: (redis, key) => redis.command([key], ['GET', key], 'read', { deadline: Date.now() - 1 }),
  async aborted(redis, key) {
    const stop = new AbortController()
    const call = redis.transport.send({ args: ['BLPOP', key, 0], effect: 'once' }, { signal: stop.signal })
    stop.abort(new Error('no longer needed'))
    return call
  },
  block: (redis, key) =>
    redis.transport.send({ args: ['BLPOP', key, 0], effect: 'once' }, { deadline: Date.now() + 300 }),
  connections: (redis) => redis.transport.send({ args: ['CLIENT', 'ID'], effect: 'read' }),
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { searchParams } = new URL(request.url)
    store ??= redisObjectStore(env.REDIS_OBJECT)
    try {
      const job = jobs[searchParams.get('job') ?? '']
      return Response.json({ result: await job?.(store, searchParams.get('key') ?? 'key') })
    } catch (error) {
      const { code, message, maybeExecuted } = error as HitherError
      return Response.json({ code, message, maybeExecuted })
    }
  },
}
