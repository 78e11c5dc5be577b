import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type StartedGateway, startGateway } from '../../adapters/node/index.ts'
import { ask, startServer } from '../../scripts/servers.ts'

// The parts of Upstash's protocol that are neither commands nor their JSON: other formats, other replies, streams.

let gateway: StartedGateway
const fetchFrom = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(gateway.url + path, {
    ...init,
    headers: { authorization: `Bearer ${gateway.token}`, ...(init.headers as Record<string, string>) },
  })
const post = async (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetchFrom(path, { method: 'POST', body: JSON.stringify(body), headers })
const result = async (...args: unknown[]): Promise<unknown> => {
  const body = (await (await post('/', args)).json()) as { result?: unknown; error?: string }
  return body.error === undefined ? body.result : new Error(body.error)
}

/** Reads the lines of a stream as they arrive. */
function linesOf(response: Response): { next(count: number): Promise<string[]>; end(): Promise<void> } {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  const decoder = new TextDecoder()
  let text = ''
  return {
    async next(count) {
      for (;;) {
        const lines = text.split('\n').filter(Boolean)
        if (lines.length >= count && text.endsWith('\n')) {
          text = ''
          return lines
        }
        const { done, value } = await reader.read()
        if (done) return [...lines, 'ended']
        text += decoder.decode(value, { stream: true })
      }
    },
    end: () => reader.cancel(),
  }
}

for (const [server, variable] of [
  ['Redis 7', 'REDIS7_URL'],
  ['Redis 8', 'REDIS8_URL'],
  ['Valkey', 'VALKEY_URL'],
] as const) {
  describe(`the gateway before ${server}`, { timeout: 30_000 }, () => {
    const url = (): string => process.env[variable] ?? ''
    beforeAll(async () => {
      gateway = await startGateway({ redis: url(), heartbeatMs: 50 })
    })
    afterAll(() => gateway.stop())

    describe('resp2', () => {
      const resp2 = { 'Upstash-Response-Format': 'resp2' }
      it('is the bytes of the reply', async () => {
        await result('DEL', 'gp:bin', 'gp:list')
        const bytes = new Uint8Array([0, 255, 13, 10, 128])
        expect((await fetchFrom('/set/gp:bin', { method: 'POST', body: bytes })).status).toBe(200)
        const response = await post('/', ['GET', 'gp:bin'], resp2)
        expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/octet-stream'])
        expect(response.headers.get('upstash-sync-token')).toMatch(/./)
        expect(Buffer.from(await response.arrayBuffer())).toEqual(
          Buffer.concat([Buffer.from('$5\r\n'), bytes, Buffer.from('\r\n')]),
        )
        const texts: [unknown[], number, string][] = [
          [['SET', 'gp:t', 'v'], 200, '+OK\r\n'],
          [['GET', 'gp:none'], 200, '$-1\r\n'],
          [['INCR', 'gp:t'], 400, '-ERR value is not an integer or out of range\r\n'],
          [['EVAL', "return {1, 'a', {'OK'}}", 0], 200, '*3\r\n:1\r\n$1\r\na\r\n*1\r\n$2\r\nOK\r\n'],
          [['INCRBY', 'gp:i', '9223372036854775807'], 200, ':9223372036854775807\r\n'],
        ]
        await result('DEL', 'gp:i')
        for (const [args, status, text] of texts) {
          const answer = await post('/', args, resp2)
          expect([answer.status, await answer.text()]).toEqual([status, text])
        }
        const list = [['SET', 'gp:t', 'v'], ['GET', 'gp:t'], ['NOSUCH']]
        expect(await (await post('/pipeline', list, resp2)).text()).toMatch(
          /^\*3\r\n\+OK\r\n\$1\r\nv\r\n-ERR Command is not available/,
        )
      })
    })

    describe('what Upstash answers otherwise than Redis', () => {
      it('SCAN with types', async () => {
        await result('FLUSHDB')
        await post('/pipeline', [
          ['SET', 'gp:s', '1'],
          ['RPUSH', 'gp:l', '1'],
          ['HSET', 'gp:h', 'f', '1'],
        ])
        const [cursor, list] = (await result('SCAN', 0, 'COUNT', 100, 'withtype')) as [string, string[]]
        expect(cursor).toBe('0')
        const types = Object.fromEntries(list.flatMap((key, i) => (i % 2 === 0 ? [[key, list[i + 1]]] : [])))
        expect(types).toEqual({ 'gp:s': 'string', 'gp:l': 'list', 'gp:h': 'hash' })
        const base64 = { 'upstash-encoding': 'base64' }
        const some = ['SCAN', 0, 'MATCH', 'gp:s', 'WITHTYPE']
        const b64 = (text: string): string => Buffer.from(text).toString('base64')
        expect(await (await post('/pipeline', [some, ['PING']], base64)).json()).toEqual([
          { result: [b64('0'), [b64('gp:s'), b64('string')]] },
          { result: b64('PONG') },
        ])
        // Here WITHTYPE is a value and no option.
        expect(await result('SCAN', 0, 'MATCH', 'WITHTYPE')).toEqual(['0', []])
      })

      it('COPY of a key to itself', async () => {
        await result('SET', 'gp:copy', 'x')
        for (const args of [
          ['gp:copy', 'gp:copy'],
          ['gp:copy', 'gp:copy', 'REPLACE'],
          ['gp:none', 'gp:none'],
        ]) {
          expect(await result('COPY', ...args)).toBe(0)
        }
        expect(
          await (
            await post('/multi-exec', [
              ['COPY', 'a', 'a'],
              ['GET', 'gp:copy'],
            ])
          ).json(),
        ).toEqual([{ result: 0 }, { result: 'x' }])
        expect(await result('COPY', 'gp:copy', 'gp:copy', 'NONSENSE')).toEqual(new Error('ERR syntax error'))
        expect(await result('COPY', 'gp:copy', 'gp:copied')).toBe(1)
      })

      it('XTRIM and XADD trim about to what they are told', async () => {
        await result('DEL', 'gp:x')
        await post(
          '/pipeline',
          Array.from({ length: 150 }, (_, i) => ['XADD', 'gp:x', `${i + 1}-0`, 'f', 'v']),
        )
        expect(await result('XTRIM', 'gp:x', 'MAXLEN', '~', 90)).toBe(60)
        expect(await result('XADD', 'gp:x', 'MAXLEN', '~', 50, '1000-0', '~', '~')).toBe('1000-0')
        expect(await result('XLEN', 'gp:x')).toBe(50)
        expect(await result('XREVRANGE', 'gp:x', '+', '-', 'COUNT', 1)).toEqual([['1000-0', ['~', '~']]])
        expect(await result('XADD', 'gp:x', 'NOMKSTREAM', 'MINID', '~', '1000', '1001-0', 'f', 'v')).toBe('1001-0')
        expect(await result('XLEN', 'gp:x')).toBe(2)
        // LIMIT requires `~`, so the gateway leaves this command as it is.
        expect(await result('XTRIM', 'gp:x', 'MAXLEN', '~', 1, 'LIMIT', 1)).toBe(0)
      })
    })

    describe('streams', () => {
      it('tell what is published on a channel, with signs of life between', async () => {
        const response = await post('/subscribe/gp:news', [], { accept: 'text/event-stream' })
        expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
        expect(response.headers.get('upstash-sync-token')).toMatch(/./)
        const lines = linesOf(response)
        expect((await lines.next(1))[0]).toBe('data: subscribe,gp:news,1')
        await expect.poll(async () => (await lines.next(1))[0], { timeout: 10_000 }).toBe(': ping')
        for (const [message, expected] of [
          ['plain', ['plain']],
          ['with, commas, "quotes" and €', ['with, commas, "quotes" and €']],
          ['', ['']],
          // A message cannot imitate an event of another channel.
          ['a\ndata: message,gp:other,x\n y', ['a', 'data:data: message,gp:other,x', 'data:  y']],
          ['a\r\n b\rc', ['a', 'data:  b', 'data:c']],
        ] as const) {
          expect(await result('PUBLISH', 'gp:news', message)).toBe(1)
          const [first, ...more] = expected
          const heard: string[] = []
          while (heard.length < expected.length)
            heard.push(...(await lines.next(1)).filter((line) => line !== ': ping'))
          expect(heard).toEqual([`data: message,gp:news,${first}`, ...more])
        }
        await lines.end()
        await expect.poll(() => result('PUBLISH', 'gp:news', 'x'), { timeout: 10_000 }).toBe(0)
      })

      it('are shared by all who listen to the same, and end one by one', async () => {
        const [one, two] = await Promise.all([1, 2].map(async () => linesOf(await fetchFrom('/subscribe/gp:a/gp:b'))))
        for (const each of [one, two]) {
          expect((await each?.next(2))?.slice(0, 2)).toEqual(['data: subscribe,gp:a,1', 'data: subscribe,gp:b,2'])
        }
        expect(await result('PUBSUB', 'NUMSUB', 'gp:a', 'gp:b')).toEqual(['gp:a', 1, 'gp:b', 1])
        await one?.end()
        expect(await result('PUBLISH', 'gp:b', 'still')).toBe(1)
        await expect
          .poll(async () => (await two?.next(1))?.includes('data: message,gp:b,still'), { timeout: 10_000 })
          .toBe(true)
        await two?.end()
        await expect.poll(() => result('PUBSUB', 'CHANNELS', 'gp:*'), { timeout: 10_000 }).toEqual([])
      })

      it('tell what is published on a pattern', async () => {
        const lines = linesOf(await post('/psubscribe/gp:p%2F*', []))
        expect((await lines.next(1))[0]).toBe('data: psubscribe,gp:p/*,1')
        await result('PUBLISH', 'gp:p/1', 'hello')
        await expect
          .poll(async () => (await lines.next(1)).includes('data: pmessage,gp:p/*,gp:p/1,hello'), { timeout: 10_000 })
          .toBe(true)
        await lines.end()
      })

      it('tell what commands run', async () => {
        const lines = linesOf(await fetchFrom('/monitor'))
        expect((await lines.next(1))[0]).toBe('data: "OK"')
        await result('GET', 'gp:watched')
        await expect
          .poll(async () => (await lines.next(1)).join('\n'), { timeout: 10_000 })
          .toMatch(/^data: \d+\.\d+ \[0 [\d.]+:\d+\] "GET" "gp:watched"$/m)
        await lines.end()
      })

      it('need a channel', async () => {
        for (const path of ['/subscribe', '/psubscribe']) expect((await fetchFrom(path)).status).toBe(400)
        expect(await result('SUBSCRIBE', 'x')).toMatchObject({ message: expect.stringContaining('not available') })
      })
    })
  })
}

describe('streams', { timeout: 30_000 }, () => {
  const redis = (): string => process.env.REDIS8_URL ?? ''
  it('end when the link to Redis does, so that a gap shows', async () => {
    const server = await startServer('redis8')
    gateway = await startGateway({ redis: server.url })
    const lines = linesOf(await fetchFrom('/subscribe/gp:cut'))
    await lines.next(1)
    expect(await ask(server.port, 'CLIENT KILL TYPE pubsub')).toBe(':1')
    expect(await lines.next(1)).toEqual(['ended'])
    await gateway.stop()
    await server.stop()
  })

  it('are bounded, and end when the gateway stops', async () => {
    gateway = await startGateway({ redis: redis(), maxStreams: 2 })
    const open = await Promise.all([fetchFrom('/subscribe/gp:1'), fetchFrom('/subscribe/gp:2')])
    const third = await fetchFrom('/subscribe/gp:3')
    expect([third.status, third.headers.get('retry-after')]).toEqual([503, '1'])
    await open[0]?.body?.cancel()
    await expect
      .poll(
        async () => {
          const again = await fetchFrom('/subscribe/gp:3')
          if (again.status === 200) open.push(again)
          else await again.text()
          return again.status
        },
        { timeout: 10_000 },
      )
      .toBe(200)
    await gateway.stop()
    for (const response of open.slice(1)) expect(await response.text()).toMatch(/^data: subscribe/)
  })
})

describe('the token in the query', { timeout: 30_000 }, () => {
  it('is taken only where that was asked for', async () => {
    const redis = process.env.REDIS8_URL ?? ''
    for (const queryToken of [false, true]) {
      const { url, token, stop } = await startGateway({ redis, queryToken })
      const asked = await fetch(`${url}/echo/x?_token=${token}`)
      expect([asked.status, await asked.json()]).toEqual(
        queryToken ? [200, { result: 'x' }] : [401, { error: 'WRONGPASS invalid or missing auth token' }],
      )
      expect((await fetch(`${url}/echo/x?_token=${token}x`)).status).toBe(401)
      // A right token in the query does not make up for a wrong header.
      const headers = { authorization: 'Bearer wrong' }
      expect((await fetch(`${url}/echo/x?_token=${token}`, { headers })).status).toBe(401)
      await stop()
    }
  })
})
