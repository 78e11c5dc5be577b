import { Ratelimit } from '@upstash/ratelimit'
import { Redis } from '@upstash/redis'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type StartedGateway, startGateway } from '../../adapters/node/index.ts'
import { type Server, startServer } from '../../scripts/servers.ts'

// Runs the unmodified official clients over a gateway before each of the three kinds of servers.

for (const name of ['redis7', 'redis8', 'valkey'] as const) {
  describe(`the official clients over the gateway before ${name}`, { timeout: 30_000 }, () => {
    let server: Server
    let gateway: StartedGateway
    let redis: Redis
    beforeAll(async () => {
      server = await startServer(name)
      gateway = await startGateway({ redis: server.url })
      redis = new Redis({ url: gateway.url, token: gateway.token, enableTelemetry: false, retry: { retries: 0 } })
    })
    afterAll(async () => {
      await gateway.stop()
      await server.stop()
    })
    beforeEach(() => redis.flushall())

    describe('@upstash/redis', () => {
      it('keeps text whole, whatever it looks like', async () => {
        const plain = new Redis({ url: gateway.url, token: gateway.token, automaticDeserialization: false })
        const texts = ['', 'OK', 'null', '0', '"', '€ 😀 \u0000\r\n', 'T0s=', 'x'.repeat(300_000)]
        for (const text of texts) {
          expect(await plain.set('k', text)).toBe('OK')
          expect(await plain.get('k')).toBe(text)
        }
        expect(await plain.mget('k', 'none')).toEqual([texts.at(-1), null])
        const low = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i))
        await plain.set('k', low)
        expect(await plain.getrange('k', 0, -1)).toBe(low)
      })

      it('strings, numbers and objects', async () => {
        expect(await redis.set('n', 41, { ex: 100 })).toBe('OK')
        expect(await redis.incr('n')).toBe(42)
        expect(await redis.get('n')).toBe(42)
        expect(await redis.ttl('n')).toBeGreaterThan(0)
        expect(await redis.set('n', 1, { nx: true })).toBe(null)
        expect(await redis.incrbyfloat('n', 0.5)).toBe(42.5)
        await redis.set('o', { a: [1, 'x', null], b: true })
        expect(await redis.get('o')).toEqual({ a: [1, 'x', null], b: true })
        expect(await redis.mset({ x: '1', y: 'two' })).toBe('OK')
        expect(await redis.mget('x', 'y', 'z')).toEqual([1, 'two', null])
        expect(await redis.del('x', 'y', 'z')).toBe(2)
        expect(await redis.exists('x')).toBe(0)
        await redis.set('big', '9007199254740992')
        expect(await redis.incr('big')).toBe('9007199254740993')
      })

      it('hashes', async () => {
        expect(await redis.hset('h', { a: 1, b: 'two', c: { d: 3 } })).toBe(3)
        expect(await redis.hgetall('h')).toEqual({ a: 1, b: 'two', c: { d: 3 } })
        expect(await redis.hgetall('none')).toBe(null)
        expect(await redis.hmget('h', 'a', 'x')).toEqual({ a: 1, x: null })
        expect(await redis.hincrby('h', 'a', 5)).toBe(6)
        expect(await redis.hscan('h', 0, { match: 'b' })).toEqual(['0', ['b', 'two']])
      })

      it('lists and sets', async () => {
        expect(await redis.rpush<unknown>('l', 'a', 1, { x: 2 })).toBe(3)
        expect(await redis.lrange('l', 0, -1)).toEqual(['a', 1, { x: 2 }])
        expect(await redis.lpop('l')).toBe('a')
        expect(await redis.sadd('s', 'OK', 'b')).toBe(2)
        expect((await redis.smembers('s')).sort()).toEqual(['OK', 'b'])
        expect(await redis.sismember('s', 'OK')).toBe(1)
        expect(await redis.scan(0, { match: 's*', count: 1000 })).toEqual(['0', ['s']])
      })

      it('sorted sets and streams', async () => {
        expect(await redis.zadd('z', { score: 1.5, member: 'a' }, { score: 2, member: 'b' })).toBe(2)
        expect(await redis.zrange('z', 0, -1, { withScores: true })).toEqual(['a', 1.5, 'b', 2])
        expect(await redis.zscore('z', 'a')).toBe(1.5)
        expect(await redis.zincrby('z', 1, 'a')).toBe(2.5)
        expect(await redis.zrange('z', 0, 0, { rev: true })).toEqual(['a'])
        expect(await redis.xadd('x', '1-1', { f: 'v' })).toBe('1-1')
        expect(await redis.xrange('x', '-', '+')).toEqual({ '1-1': { f: 'v' } })
      })

      it('a pipeline, with its errors', async () => {
        const pipeline = redis.pipeline()
        pipeline.set('k', 'v')
        pipeline.lpush('k', 'x')
        pipeline.get('k')
        expect(await pipeline.exec({ keepErrors: true })).toEqual([
          { result: 'OK' },
          { result: undefined, error: 'WRONGTYPE Operation against a key holding the wrong kind of value' },
          { result: 'v' },
        ])
        await expect(redis.pipeline().lpush('k', 'x').exec()).rejects.toThrow('WRONGTYPE')
      })

      it('a transaction', async () => {
        const multi = redis.multi()
        multi.set('m', 1)
        multi.incr('m')
        multi.mget('m', 'none')
        multi.hgetall('none')
        expect(await multi.exec()).toEqual(['OK', 2, [2, null], null])
      })

      it('what one tick calls, as one request in order', async () => {
        await redis.set('auto', 0)
        const replies = await Promise.all([
          redis.incr('auto'),
          redis.incr('auto'),
          redis.set('auto:b', 'OK'),
          redis.rpush('auto:l', 'OK'),
        ])
        expect(replies).toEqual([1, 2, 'OK', 1])
        expect(await Promise.all([redis.get('auto'), redis.get('auto:b'), redis.mget('auto:b')])).toEqual([
          2,
          'OK',
          ['OK'],
        ])
        await expect(redis.lpush('auto', 'x')).rejects.toThrow('WRONGTYPE')
      })

      it('scripts', async () => {
        expect(await redis.eval('return {KEYS[1], ARGV[1], 3}', ['k'], ['v'])).toEqual(['k', 'v', 3])
        const sha = await redis.scriptLoad('return ARGV[1]')
        expect(await redis.evalsha(sha, [], ['v'])).toBe('v')
        expect(await redis.scriptExists(sha, 'f'.repeat(40))).toEqual([1, 0])
        const script = redis.createScript<string>('#!lua flags=allow-key-locking\nreturn ARGV[1]')
        expect(await script.exec([], ['own'])).toBe('own')
        await redis.scriptFlush()
        expect(await script.exec([], ['again'])).toBe('again')
        await expect(redis.eval("return redis.error_reply('ERR mine')", [], [])).rejects.toThrow('ERR mine')
      })

      it('reads its writes: a new sync token with every answer, errors included', async () => {
        const tokens = new Set<string | undefined>()
        const note = (): void => void tokens.add(redis.readYourWritesSyncToken)
        await redis.set('k', 1)
        note()
        await redis.pipeline().get('k').exec()
        note()
        await redis.multi().get('k').exec()
        note()
        await redis.eval('return 1', [], [])
        note()
        await expect(redis.eval('no lua', [], [])).rejects.toThrow()
        note()
        expect(tokens.size).toBe(5)
        expect([...tokens].every(Boolean)).toBe(true)
      })

      it('without base64, and without a token that fits', async () => {
        const plain = new Redis({ url: gateway.url, token: gateway.token, responseEncoding: false })
        await plain.set('k', 'text')
        expect(await plain.mget('k', 'none')).toEqual(['text', null])
        const stranger = new Redis({ url: gateway.url, token: 'other', retry: false })
        await expect(stranger.get('k')).rejects.toThrow('WRONGPASS invalid or missing auth token')
      })
    })

    describe('@upstash/ratelimit', () => {
      // The window is so long that no run of this test reaches its edge.
      const window = '365 d'
      const limiters = {
        fixedWindow: () => Ratelimit.fixedWindow(3, window),
        slidingWindow: () => Ratelimit.slidingWindow(3, window),
        tokenBucket: () => Ratelimit.tokenBucket(3, window, 3),
      }
      for (const [kind, limiter] of Object.entries(limiters)) {
        it(`${kind} lets as many through as it says, the script cache cold or warm`, async () => {
          for (const id of ['first', 'second']) {
            await redis.scriptFlush()
            const ratelimit = new Ratelimit({ redis, limiter: limiter(), ephemeralCache: false, timeout: 0 })
            const decisions: boolean[] = []
            const left: number[] = []
            for (let i = 0; i < 5; i++) {
              const { success, remaining, limit } = await ratelimit.limit(id)
              decisions.push(success)
              left.push(remaining)
              expect(limit).toBe(3)
            }
            expect(decisions).toEqual([true, true, true, false, false])
            expect(left.slice(0, 3)).toEqual([2, 1, 0])
          }
        })
      }

      it('counts callers at once exactly', async () => {
        const limiter = Ratelimit.tokenBucket(10, window, 10)
        const ratelimit = new Ratelimit({ redis, limiter, ephemeralCache: false, timeout: 0 })
        const all = await Promise.all(Array.from({ length: 30 }, () => ratelimit.limit('crowd')))
        expect(all.filter(({ success }) => success)).toHaveLength(10)
        expect(await ratelimit.getRemaining('crowd')).toMatchObject({ remaining: 0 })
        await ratelimit.resetUsedTokens('crowd')
        await expect.poll(async () => (await ratelimit.limit('crowd')).success, { timeout: 10_000 }).toBe(true)
      })
    })
  })
}
