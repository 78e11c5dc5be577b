import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type StartedGateway, startGateway } from '../../adapters/node/index.ts'

// The gateway's side of Upstash's REST protocol, over HTTP, before real servers.

const TOKEN = 'gateway-token-4711'

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
}

let gateway: StartedGateway

/** Sends one request. Every response must be JSON, have a new sync token, and must not contain the bearer token. */
const tokensSeen = new Set<string>()
async function call(path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(gateway.url + path, {
    ...init,
    headers: { authorization: `Bearer ${TOKEN}`, ...(init.headers as Record<string, string>) },
  })
  const text = await response.text()
  const sync = response.headers.get('upstash-sync-token') ?? ''
  expect(sync).not.toBe('')
  expect(tokensSeen.has(sync)).toBe(false)
  tokensSeen.add(sync)
  expect(response.headers.get('content-type')).toBe('application/json')
  expect(text + JSON.stringify([...response.headers])).not.toContain(TOKEN)
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
}
const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  call(path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers })
const base64 = { 'upstash-encoding': 'base64' }
const b64 = (text: string): string => Buffer.from(text).toString('base64')
/** Sends one command as a body. Resolves to its result, or to its error. */
const run = async (...args: unknown[]): Promise<unknown> => {
  const { status, body } = await post('/', args)
  const { result, error } = body as { result?: unknown; error?: string }
  expect(status).toBe(error === undefined ? 200 : 400)
  return error === undefined ? result : new Error(error)
}

for (const [server, variable] of [
  ['Redis 7', 'REDIS7_URL'],
  ['Redis 8', 'REDIS8_URL'],
  ['Valkey', 'VALKEY_URL'],
] as const) {
  describe(`the gateway before ${server}`, { timeout: 30_000 }, () => {
    beforeAll(async () => {
      gateway = await startGateway({ redis: process.env[variable] ?? '', token: TOKEN, role: 'full' })
    })
    afterAll(() => gateway.stop())

    describe('a command by body', () => {
      it('answers as JSON: text, numbers, nil, arrays, nested arrays', async () => {
        expect(await run('SET', 'gw:a', 'naïve \u0000 "€" 😀')).toBe('OK')
        expect(await run('GET', 'gw:a')).toBe('naïve \u0000 "€" 😀')
        expect(await run('GET', 'gw:none')).toBe(null)
        expect(await run('MGET', 'gw:a', 'gw:none')).toEqual(['naïve \u0000 "€" 😀', null])
        expect(await run('STRLEN', 'gw:none')).toBe(0)
        expect(await run('EVAL', "return {1, {'OK', false, {-7}}, 'x'}", 0)).toEqual([1, ['OK', null, [-7]], 'x'])
      })

      it('takes numbers, booleans and null as their text', async () => {
        expect(await run('SET', 'gw:n', 1.5)).toBe('OK')
        expect(await run('GET', 'gw:n')).toBe('1.5')
        expect(await run('MSET', 'gw:t', true, 'gw:u', null)).toBe('OK')
        expect(await run('MGET', 'gw:t', 'gw:u')).toEqual(['true', 'null'])
      })

      it('loses no digit of a large integer, in either direction', async () => {
        expect((await post('/', '["SET","gw:big",9007199254740993]')).body).toEqual({ result: 'OK' })
        expect(await run('GET', 'gw:big')).toBe('9007199254740993')
        expect((await post('/', '["INCRBY","gw:big",9007199254740993]')).body).toEqual({ result: '18014398509481986' })
        expect((await post('/', '["INCRBY","gw:big","1"]', base64)).body).toEqual({ result: b64('18014398509481987') })
        expect(await run('SET', 'gw:big', '9223372036854775806')).toBe('OK')
        expect(await run('INCR', 'gw:big')).toBe('9223372036854775807')
        expect(await run('SET', 'gw:big', '9007199254740990')).toBe('OK')
        expect(await run('INCR', 'gw:big')).toBe(9007199254740991)
        expect(await run('SET', 'gw:big', '-9007199254740991')).toBe('OK')
        expect(await run('DECR', 'gw:big')).toBe('-9007199254740992')
        expect((await post('/', '["SET","gw:big",0.12345678901234567]')).body).toEqual({ result: 'OK' })
        expect(await run('GET', 'gw:big')).toBe('0.12345678901234567')
      })

      it('answers an error of Redis with 400 and its own text', async () => {
        await run('DEL', 'gw:list')
        await run('RPUSH', 'gw:list', 'x')
        expect(await run('GET', 'gw:list')).toEqual(
          new Error('WRONGTYPE Operation against a key holding the wrong kind of value'),
        )
        expect(String(await run('GET'))).toContain('ERR wrong number of arguments')
        expect(await run('EVALSHA', 'f'.repeat(40), 0)).toMatchObject({ message: expect.stringMatching(/^NOSCRIPT /) })
      })

      it('passes replies raw, whatever the case of the command', async () => {
        await run('DEL', 'gw:h', 'gw:z')
        expect(await run('hset', 'gw:h', 'b', 1, 'a', 2)).toBe(2)
        await run('ZADD', 'gw:z', 1.5, 'm', '+inf', 'n')
        for (const [name, scores, info] of [
          ['hgetall', 'zrange', 'xinfo'],
          ['HGetAll', 'ZRange', 'XINFO'],
        ] as const) {
          expect(await run(name, 'gw:h')).toEqual(['b', '1', 'a', '2'])
          expect(await run(scores, 'gw:z', 0, -1, 'withscores')).toEqual(['m', '1.5', 'n', 'inf'])
          await run('DEL', 'gw:x')
          await run('XADD', 'gw:x', '1-1', 'f', 'v')
          expect((await run(info, 'STREAM', 'gw:x')) as unknown[]).toContain('last-generated-id')
        }
        expect((await post('/', ['hgetall', 'gw:h'], base64)).body).toEqual({ result: ['b', '1', 'a', '2'].map(b64) })
        expect(await run('zscore', 'gw:z', 'm')).toBe('1.5')
        expect(await run('mget', 'gw:none')).toEqual([null])
        expect(await run('xrange', 'gw:x', '-', '+')).toEqual([['1-1', ['f', 'v']]])
      })

      it('accepts JSON under any content type', async () => {
        for (const type of ['application/json', 'application/json; charset=utf-8', 'text/plain;charset=UTF-8', 'x/y']) {
          expect((await post('/', ['ECHO', 'é'], { 'content-type': type })).body).toEqual({ result: 'é' })
        }
      })
    })

    describe('a command by path', () => {
      it('runs by GET, POST and PUT; by HEAD without a body', async () => {
        for (const method of ['GET', 'POST', 'PUT']) {
          expect(await call('/set/gw:p/v1/EX/100', { method })).toMatchObject({ status: 200, body: { result: 'OK' } })
          expect((await call('/get/gw:p', { method })).body).toEqual({ result: 'v1' })
          await run('DEL', 'gw:p')
        }
        expect(await call('/set/gw:p/head', { method: 'HEAD' })).toMatchObject({ status: 200, body: undefined })
        expect(await run('GET', 'gw:p')).toBe('head')
        expect(await call('/nosuch', { method: 'HEAD' })).toMatchObject({ status: 400, body: undefined })
      })

      it('decodes each segment', async () => {
        expect((await call('/set/gw%3Ap%2Fq/a%20b%3F%26+%C3%A9%00')).body).toEqual({ result: 'OK' })
        expect(await run('GET', 'gw:p/q')).toBe('a b?&+é\u0000')
        for (const path of ['/get/%ff', '/set/gw:p/x?EX=%ff', '/set/gw:p/x?%c3=1']) {
          expect(await call(path)).toMatchObject({
            status: 400,
            body: { error: 'ERR the path or query is not percent-encoded UTF-8' },
          })
        }
      })

      it('takes the body as the argument after the path, then the query pairs', async () => {
        const body = 'a body, "not JSON" [1,'
        expect((await post('/set/gw:p?EX=100&NX', body)).body).toEqual({ result: null })
        expect((await post('/set/gw:p?EX=100', body)).body).toEqual({ result: 'OK' })
        expect(await run('GET', 'gw:p')).toBe(body)
        expect(await run('TTL', 'gw:p')).toBeGreaterThan(50)
        expect((await post('/set/gw:p', '')).body).toEqual({ result: 'OK' })
        expect(await run('GET', 'gw:p')).toBe('')
        expect((await call('/set/gw:p/x?ex=50&_token=whatever')).body).toEqual({ result: 'OK' })
        expect(await run('GET', 'gw:p')).toBe('x')
        expect(await run('TTL', 'gw:p')).toBeLessThanOrEqual(50)
        expect(await run('TTL', 'gw:p')).toBeGreaterThan(0)
      })

      it('carries binary bodies whole, a byte order mark included', async () => {
        const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => (i * 7) % 256)
        expect((await call('/set/gw:bin', { method: 'POST', body: bytes })).body).toEqual({ result: 'OK' })
        const { body } = await post('/', ['GET', 'gw:bin'], base64)
        expect(Buffer.from((body as { result: string }).result, 'base64').equals(bytes)).toBe(true)
        for (const text of ['\ufeffOK', '\ufeff', '\ufeff"x"']) {
          expect((await call('/set/gw:bom', { method: 'POST', body: text })).body).toEqual({ result: 'OK' })
          expect(await run('GET', 'gw:bom')).toBe(text)
          expect((await post('/', ['GET', 'gw:bom'], base64)).body).toEqual({ result: b64(text) })
        }
      })

      it('shows invalid UTF-8 as U+FFFD without base64', async () => {
        await call('/set/gw:bin', { method: 'POST', body: new Uint8Array([0x61, 0xff, 0x62]) })
        expect(await run('GET', 'gw:bin')).toBe('a\ufffdb')
      })

      it('takes a path of two slashes for a path, not for a host', async () => {
        expect(await raw(`GET //echo/x HTTP/1.1\r\nhost: h\r\nauthorization: Bearer ${TOKEN}\r\n\r\n`)).toContain(
          "ERR Command is not available: ''",
        )
      })
    })

    describe('with base64', () => {
      it('encodes every string at any depth, and nothing else', async () => {
        expect((await post('/', ['ECHO', 'test'], base64)).body).toEqual({ result: b64('test') })
        expect((await post('/', ['GET', 'gw:none'], base64)).body).toEqual({ result: null })
        const script = "return {1, 'a', {'', 'OK', false, {'deep', -1}}}"
        expect((await post('/', ['EVAL', script, 0], base64)).body).toEqual({
          result: [1, b64('a'), ['', b64('OK'), null, [b64('deep'), -1]]],
        })
        expect((await post('/', ['PING'], { 'Upstash-Encoding': 'BASE64' })).body).toEqual({ result: b64('PONG') })
      })

      it('leaves OK bare as the whole result only', async () => {
        expect((await post('/', ['SET', 'gw:ok', 'OK'], base64)).body).toEqual({ result: 'OK' })
        expect((await post('/', ['MGET', 'gw:ok'], base64)).body).toEqual({ result: [b64('OK')] })
        expect(
          (
            await post(
              '/pipeline',
              [
                ['SET', 'gw:ok', 'OK'],
                ['MGET', 'gw:ok'],
              ],
              base64,
            )
          ).body,
        ).toEqual([{ result: 'OK' }, { result: [b64('OK')] }])
      })

      it('never encodes an error', async () => {
        await run('DEL', 'gw:list')
        await run('RPUSH', 'gw:list', 'x')
        const error = 'WRONGTYPE Operation against a key holding the wrong kind of value'
        expect(await post('/', ['GET', 'gw:list'], base64)).toMatchObject({ status: 400, body: { error } })
        for (const path of ['/pipeline', '/multi-exec']) {
          expect(
            (
              await post(
                path,
                [
                  ['GET', 'gw:list'],
                  ['ECHO', 'x'],
                ],
                base64,
              )
            ).body,
          ).toEqual([{ error }, { result: b64('x') }])
        }
        expect((await post('/', 'x', base64)).body).toEqual({ error: expect.stringMatching(/^ERR /) })
      })
    })

    describe('/pipeline', () => {
      it('answers each command in order, errors in their places', async () => {
        await run('DEL', 'gw:c')
        const { status, body } = await post('/pipeline', [
          ['INCR', 'gw:c'],
          ['LPUSH', 'gw:c', 'x'],
          ['SUBSCRIBE', 'gw:c'],
          ['INCR', 'gw:c'],
          ['GET'],
          ['GET', 'gw:c'],
        ])
        expect(status).toBe(200)
        expect(body).toEqual([
          { result: 1 },
          { error: 'WRONGTYPE Operation against a key holding the wrong kind of value' },
          { error: expect.stringContaining("ERR Command is not available: 'SUBSCRIBE'") },
          { result: 2 },
          { error: expect.stringContaining('ERR wrong number of arguments') },
          { result: '2' },
        ])
        expect((await post('/pipeline', [['AUTH', 'x']])).body).toEqual([{ error: expect.any(String) }])
      })

      it('carries 10,000 commands, and refuses one more, an empty one and what is no list', async () => {
        const many = Array.from({ length: 10_000 }, (_, i) => ['ECHO', `${i}`])
        const { body } = await post('/pipeline', many)
        expect((body as { result: string }[]).map(({ result }) => result)).toEqual(many.map(([, text]) => text))
        for (const [list, error] of [
          [[...many, ['PING']], 'ERR a request may have 10000 commands'],
          [[], 'ERR empty pipeline request'],
          [{}, 'ERR Command pipeline is not an array'],
          [['PING'], 'ERR Command is not an array'],
          [[['SET', 'gw:never', 'x'], []], 'ERR Command is not an array'],
          [
            [
              ['SET', 'gw:never', 'x'],
              ['SET', 'gw:never', {}],
            ],
            'ERR an argument is a string, a number or a boolean',
          ],
        ] as const) {
          expect(await post('/pipeline', list)).toMatchObject({ status: 400, body: { error } })
        }
        expect(await run('GET', 'gw:never')).toBe(null)
      })
    })

    describe('/multi-exec', () => {
      it('runs contiguously among everyone else', async () => {
        await run('DEL', 'gw:m')
        const one = [
          ['INCR', 'gw:m'],
          ['GET', 'gw:m'],
          ['INCR', 'gw:m'],
          ['GET', 'gw:m'],
        ]
        const answers = await Promise.all(
          Array.from({ length: 60 }, (_, i) =>
            i % 3 === 0 ? post('/multi-exec', one) : post(i % 3 === 1 ? '/pipeline' : '/', i % 3 === 1 ? one : one[0]),
          ),
        )
        answers.forEach(({ status, body }, i) => {
          expect(status).toBe(200)
          if (i % 3 !== 0) return
          const [a, b, c, d] = (body as { result: number | string }[]).map(({ result }) => Number(result))
          expect([b, c, d]).toEqual([a, Number(a) + 1, Number(a) + 1])
        })
        expect(await run('GET', 'gw:m')).toBe(String(20 * 2 + 20 * 2 + 20))
      })

      it('reports a runtime error in its place and runs the rest', async () => {
        await run('DEL', 'gw:m')
        expect(
          await post('/multi-exec', [
            ['SET', 'gw:m', 'x'],
            ['INCR', 'gw:m'],
            ['GET', 'gw:m'],
          ]),
        ).toMatchObject({
          status: 200,
          body: [{ result: 'OK' }, { error: 'ERR value is not an integer or out of range' }, { result: 'x' }],
        })
      })

      it('is discarded as a whole, and the connection is in step afterwards', async () => {
        await run('DEL', 'gw:m')
        const set = ['SET', 'gw:m', 'x']
        for (const bad of [['GET'], ['BLPOP', 'gw:m', 0], ['EXEC'], ['WATCH', 'gw:m'], ['DISCARD'], ['MULTI']]) {
          const { status, body } = await post('/multi-exec', [set, bad, set])
          expect(status).toBe(400)
          expect(body).toEqual({ error: expect.stringMatching(/^(EXECABORT|ERR Command is not available)/) })
          expect(await run('GET', 'gw:m')).toBe(null)
        }
        expect((await post('/multi-exec', [set, ['GET']])).body).toEqual({
          error: 'EXECABORT Transaction discarded because of previous errors: GET: ERR',
        })
        expect(await post('/multi-exec', [])).toMatchObject({
          status: 400,
          body: { error: 'ERR empty pipeline request' },
        })
      })
    })

    describe('what is refused', () => {
      it('a missing or wrong token, with 401, before anything is read', async () => {
        const error = 'WRONGPASS invalid or missing auth token'
        const wrong = ['', 'Bearer ', `Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(1)}`, `Bearer ${TOKEN.toUpperCase()}`]
        for (const authorization of [...wrong, `Basic ${TOKEN}`, TOKEN, 'Bearer default']) {
          for (const path of ['/', '/pipeline', '/multi-exec', '/set/gw:auth/x', `/get/gw:auth?_token=${TOKEN}`]) {
            const init = { method: 'POST', body: '["SET","gw:auth","x"]', headers: { authorization } }
            expect(await call(path, init)).toMatchObject({ status: 401, body: { error } })
          }
        }
        expect(await run('GET', 'gw:auth')).toBe(null)
      })

      it('another method, with 405', async () => {
        for (const method of ['DELETE', 'PATCH', 'OPTIONS']) {
          expect(await call('/', { method })).toMatchObject({ status: 405, body: { error: 'ERR Method not allowed' } })
        }
        expect(await raw('TRACE / HTTP/1.1\r\nhost: h\r\n\r\n')).toMatch(/^HTTP\/1.1 405 /)
      })

      it('a body that is no JSON, not UTF-8, or no command, with 400', async () => {
        const json = 'ERR Failed to parse the request body as JSON'
        for (const [body, error] of [
          ['', json],
          ['x', json],
          ['["GET"', json],
          ['['.repeat(100_000), json],
          [new Uint8Array([0x5b, 0x22, 0xff, 0x22, 0x5d]), json],
          ['[]', 'ERR Command is not an array'],
          ['{}', 'ERR Command is not an array'],
          ['null', 'ERR Command is not an array'],
          ['"PING"', 'ERR Command is not an array'],
          ['["GET",["k"]]', 'ERR an argument is a string, a number or a boolean'],
          ['["GET",{}]', 'ERR an argument is a string, a number or a boolean'],
        ] as const) {
          expect(await call('/', { method: 'POST', body })).toMatchObject({ status: 400, body: { error } })
        }
      })

      it('another response format, with 400', async () => {
        for (const name of ['upstash-response-format', 'upstash-reponse-format']) {
          expect(await post('/', ['PING'], { [name]: 'resp3' })).toMatchObject({ status: 400 })
          expect(await post('/', ['PING'], { [name]: 'json' })).toMatchObject({ status: 200 })
        }
        const resp2 = { 'upstash-response-format': 'resp2' }
        expect(await post('/multi-exec', [['PING']], resp2)).toMatchObject({ status: 400 })
        expect(await post('/', ['PING'], { ...resp2, ...base64 })).toMatchObject({ status: 400 })
      })

      it('commands that wait, subscribe, administer, choose a database, or are not known', async () => {
        const refused = [
          ...[
            'BLPOP gw:r 0',
            'brpop gw:r 0',
            'BLMOVE a b LEFT LEFT 0',
            'BZPOPMIN gw:r 0',
            'XREAD BLOCK 0 STREAMS gw:r $',
          ],
          ...['xread COUNT 1 block 0 STREAMS gw:r $', 'XREADGROUP GROUP g STREAMS BLOCK 0 STREAMS gw:r >', 'WAIT 1 0'],
          ...[
            'SUBSCRIBE c',
            'PSUBSCRIBE c',
            'SSUBSCRIBE c',
            'MONITOR',
            'MULTI',
            'EXEC',
            'DISCARD',
            'WATCH k',
            'UNWATCH',
          ],
          ...['SELECT 1', 'MOVE gw:r 1', 'SWAPDB 0 1', 'COPY gw:r gw:s DB 1', 'copy gw:r gw:s REPLACE db 1'],
          ...['AUTH x', 'HELLO 3', 'QUIT', 'RESET', 'CLIENT', 'CLIENT KILL ID 1', 'CONFIG GET *', 'SHUTDOWN'],
          ...[
            'DEBUG SLEEP 1',
            'REPLICAOF a 1',
            'SLAVEOF a 1',
            'MIGRATE a 1 k 0 1',
            'MODULE LIST',
            'ACL LIST',
            'CLUSTER INFO',
          ],
          ...[
            'SCRIPT KILL',
            'SCRIPT DEBUG YES',
            'SCRIPT',
            'FUNCTION RESTORE x',
            'OBJECT ENCODING k',
            'SORT k',
            'RESTORE k 0 x',
          ],
          ...['NOSUCH x', 'GET\r\nSET x', '__proto__', 'constructor', ' GET k', ''],
        ]
        for (const command of refused) {
          const error = await run(...command.split(' '))
          expect([command, String(error)]).toEqual([command, expect.stringContaining('ERR Command is not available:')])
        }
        for (const [command, name] of [
          ['XREAD COUNT 1 BLOCK 0 STREAMS gw:r $', 'XREAD … BLOCK'],
          ['copy gw:r gw:s DB 1', 'COPY … DB'],
          ['config get *', 'CONFIG GET'],
          ['nosuch x', 'NOSUCH'],
        ] as const) {
          expect(String(await run(...command.split(' ')))).toContain(`not available: '${name}'.`)
        }
        // These commands are only for tokens with the role `admin`.
        for (const command of ['FLUSHALL', 'flushdb', 'KEYS *', 'FUNCTION LIST', 'CLIENT LIST', 'slowlog get']) {
          const error = await run(...command.split(' '))
          expect([command, String(error)]).toEqual([command, expect.stringContaining('NOPERM this token has no')])
        }
        // The refusal also holds if the last word comes as a body after a path.
        for (const [path, body] of [
          ['/xread?0=STREAMS&gw:r=$', 'BLOCK'],
          ['/script', 'KILL'],
          ['/copy/gw:r/gw:s?1=x', 'DB'],
        ] as const) {
          expect((await post(path, body)).body).toEqual({ error: expect.stringContaining('not available') })
        }
      })

      it('nothing that only looks like one of them', async () => {
        await run('DEL', 'gw:db', 'gw:db2', 'BLOCK', 'GROUP')
        await run('XADD', 'BLOCK', '1-1', 'f', 'v')
        expect(await run('XREAD', 'COUNT', 1, 'STREAMS', 'BLOCK', 0)).toEqual([['BLOCK', [['1-1', ['f', 'v']]]]])
        expect(await run('XGROUP', 'CREATE', 'BLOCK', 'BLOCK', 0)).toBe('OK')
        expect(await run('XREADGROUP', 'GROUP', 'BLOCK', 'BLOCK', 'STREAMS', 'BLOCK', '>')).toEqual([
          ['BLOCK', [['1-1', ['f', 'v']]]],
        ])
        await run('SET', 'gw:db', 'DB')
        expect(await run('COPY', 'gw:db', 'gw:db2', 'REPLACE')).toBe(1)
        await run('DEL', 'BLOCK')
      })
    })

    it('takes host, port and database from nothing in a request', async () => {
      await run('SET', 'gw:where', 'here')
      const redis = 'redis://127.0.0.1:1/5'
      const headers = {
        'upstash-redis-url': redis,
        'x-forwarded-host': '127.0.0.1:1',
        'x-redis-url': redis,
        forwarded: 'host=127.0.0.1:1',
      }
      expect((await post(`/?url=${redis}&db=5&host=127.0.0.1`, ['GET', 'gw:where'], headers)).body).toEqual({
        result: 'here',
      })
      const request = (line: string, host: string): Promise<string> =>
        raw(`${line} HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${TOKEN}\r\n\r\n`)
      expect(await request('GET /get/gw:where', '127.0.0.1:1')).toContain('{"result":"here"}')
      expect(await request('GET http://127.0.0.1:1/get/gw:where', '127.0.0.1:1')).toContain('{"result":"here"}')
      expect(await request('GET /get/gw:where', 'not a host')).toMatch(/^HTTP\/1.1 400 /)
    })

    it('keeps a connection for the next request', async () => {
      const ports = new Set<number | undefined>()
      const { Agent } = await import('node:http')
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      for (let i = 0; i < 3; i++) {
        await new Promise<void>((resolve, reject) => {
          const headers = { authorization: `Bearer ${TOKEN}` }
          const request = httpRequest(`${gateway.url}/`, { method: 'POST', agent, headers }, (response) => {
            ports.add(response.socket.localPort)
            response.resume().on('end', resolve)
          })
          request.on('error', reject).end(i === 1 ? 'no JSON' : '["PING"]')
        })
      }
      agent.destroy()
      expect(ports.size).toBe(1)
    })
  })
}

/** Sends bytes as they are. Resolves to everything received until the server has responded or closed the connection. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let got = ''
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1', () => {
      socket.write(text.replace('\r\n', '\r\nconnection: close\r\n'))
    })
    socket.on('data', (data) => {
      got += data.toString()
    })
    socket.on('error', reject).on('close', () => resolve(got))
  })
}
