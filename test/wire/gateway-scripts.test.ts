import { createHash } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { connect, ioredisTransport } from '../../adapters/ioredis/index.ts'
import { type StartedGateway, startGateway } from '../../adapters/node/index.ts'
import { type Server, startServer } from '../../scripts/servers.ts'
import { KEY_LOCKING_PRELUDE } from '../../src/store/script-flags.ts'
import type { Transport } from '../../src/store/transport.ts'

// Scripts with a flag that only Upstash knows, on servers that refuse that flag.

const sha1 = (text: string): string => createHash('sha1').update(text).digest('hex')

for (const name of ['redis7', 'redis8', 'valkey'] as const) {
  describe(`scripts with allow-key-locking before ${name}`, { timeout: 30_000 }, () => {
    let server: Server
    let gateway: StartedGateway
    let direct: Transport
    const flagged = `${KEY_LOCKING_PRELUDE}return {KEYS[1], ARGV[1]}`
    const plain = '\nreturn {KEYS[1], ARGV[1]}'

    beforeAll(async () => {
      server = await startServer(name)
      gateway = await startGateway({ redis: server.url })
      direct = ioredisTransport(await connect(server.url))
    })
    afterAll(async () => {
      await gateway.stop()
      await direct.close()
      await server.stop()
    })
    beforeEach(() => run('SCRIPT', 'FLUSH'))

    const post = async (path: string, body: unknown, base64 = false): Promise<unknown> => {
      const headers = { authorization: `Bearer ${gateway.token}`, ...(base64 ? { 'upstash-encoding': 'base64' } : {}) }
      const response = await fetch(gateway.url + path, { method: 'POST', headers, body: JSON.stringify(body) })
      return response.json()
    }
    const run = (...args: unknown[]): Promise<unknown> => post('/', args)

    it('is refused by the server itself', async () => {
      const reply = await direct.send({ args: ['EVAL', flagged, 1, 'k', 'v'], effect: 'once' })
      expect(reply).toMatchObject({ message: expect.stringContaining('Unexpected flag') })
    })

    it('runs by EVAL, and then by the digest of the original', async () => {
      expect(await run('EVALSHA', sha1(flagged), 1, 'k', 'v')).toEqual({ error: expect.stringContaining('NOSCRIPT') })
      expect(await run('EVAL', flagged, 1, 'k', 'v')).toEqual({ result: ['k', 'v'] })
      expect(await run('evalsha', sha1(flagged), 1, 'k', 'w')).toEqual({ result: ['k', 'w'] })
      expect(await run('EVALSHA', sha1(flagged).toUpperCase(), 1, 'k', 'w')).toEqual({ result: ['k', 'w'] })
      expect(await run('EVALSHA_RO', sha1(flagged), 1, 'k', 'w')).toEqual({ result: ['k', 'w'] })
    })

    it('runs by EVAL_RO', async () => {
      expect(await run('eval_ro', flagged, 1, 'k', 'v')).toEqual({ result: ['k', 'v'] })
    })

    it('runs by path, with the script as the body', async () => {
      const headers = { authorization: `Bearer ${gateway.token}` }
      const response = await fetch(`${gateway.url}/eval?1=k&v=`, { method: 'POST', headers, body: flagged })
      expect(await response.json()).toEqual({ result: ['k', 'v'] })
    })

    it('loads under the digest of the original, exists under it, and is gone after FLUSH', async () => {
      expect(await run('script', 'exists', sha1(flagged), sha1(plain))).toEqual({ result: [0, 0] })
      expect(await run('SCRIPT', 'LOAD', flagged)).toEqual({ result: sha1(flagged) })
      expect(await post('/', ['SCRIPT', 'LOAD', flagged], true)).toEqual({
        result: Buffer.from(sha1(flagged)).toString('base64'),
      })
      expect(await run('SCRIPT', 'EXISTS', sha1(flagged), 'f'.repeat(40))).toEqual({ result: [1, 0] })
      expect(await run('EVALSHA', sha1(flagged), 1, 'k', 'v')).toEqual({ result: ['k', 'v'] })
      expect(await run('SCRIPT', 'FLUSH', 'SYNC')).toEqual({ result: 'OK' })
      expect(await run('SCRIPT', 'EXISTS', sha1(flagged))).toEqual({ result: [0] })
      expect(await run('EVALSHA', sha1(flagged), 1, 'k', 'v')).toEqual({ error: expect.stringContaining('NOSCRIPT') })
    })

    it('leaves scripts without the flag, their digests and their errors alone', async () => {
      expect(await run('SCRIPT', 'LOAD', flagged)).toEqual({ result: sha1(flagged) })
      expect(await run('SCRIPT', 'LOAD', plain)).toEqual({ result: sha1(plain) })
      expect(await run('SCRIPT', 'LOAD', 'return 7')).toEqual({ result: sha1('return 7') })
      expect(await run('EVALSHA', sha1('return 7'), 0)).toEqual({ result: 7 })
      expect(await run('SCRIPT', 'LOAD', 'no lua')).toEqual({ error: expect.stringContaining('compiling script') })
      expect(await run('SCRIPT', 'LOAD', `${KEY_LOCKING_PRELUDE}no lua`)).toEqual({
        error: expect.stringContaining('user_script:2'),
      })
    })

    it('knows a digest within the pipeline or transaction that brought it', async () => {
      for (const path of ['/pipeline', '/multi-exec']) {
        await run('SCRIPT', 'FLUSH')
        const commands = [
          ['SCRIPT', 'LOAD', flagged],
          ['EVALSHA', sha1(flagged), 1, 'k', 'v'],
        ]
        expect(await post(path, commands)).toEqual([{ result: sha1(flagged) }, { result: ['k', 'v'] }])
      }
    })

    it('costs one NOSCRIPT when the server forgot it', async () => {
      await run('EVAL', flagged, 1, 'k', 'v')
      await direct.send({ args: ['SCRIPT', 'FLUSH'], effect: 'once' })
      expect(await run('EVALSHA', sha1(flagged), 1, 'k', 'v')).toEqual({ error: expect.stringContaining('NOSCRIPT') })
      expect(await run('EVAL', flagged, 1, 'k', 'v')).toEqual({ result: ['k', 'v'] })
      expect(await run('EVALSHA', sha1(flagged), 1, 'k', 'v')).toEqual({ result: ['k', 'v'] })
    })

    it('keeps the flags that a server knows', async () => {
      const readOnly = `#!lua flags=allow-key-locking,no-writes\nreturn redis.call('SET', KEYS[1], 'x')`
      expect(await run('EVAL', readOnly, 1, 'k')).toEqual({ error: expect.stringContaining('Write commands') })
    })
  })
}
