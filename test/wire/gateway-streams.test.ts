import { request as httpRequest } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { type StartedGateway, startGateway } from '../../adapters/node/index.ts'
import { tcpTransport } from '../../adapters/tcp/index.ts'
import { ask, type Server, startServer } from '../../scripts/servers.ts'
import { createGateway, type GatewayTokens } from '../../src/gateway/index.ts'
import { createTcpProxy } from '../support/tcp-proxy.ts'

// Which connections and channels of the server streams use, and when they free them.

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

let server: Server
let gateway: StartedGateway
async function open(options: Partial<Parameters<typeof startGateway>[0]> = {}, args: string[] = []): Promise<void> {
  server = await startServer('redis8', { args })
  closing.push(() => server.stop())
  gateway = await startGateway({ redis: server.url, ...options })
  closing.push(() => gateway.stop())
}
const stream = (path: string, token = gateway.token): Promise<Response> =>
  fetch(gateway.url + path, { headers: { authorization: `Bearer ${token}` } })
/** Resolves to the number of connections to the server that are subscribed. */
const listeners = async (): Promise<number> => {
  const list = await ask(server.port, 'CLIENT LIST TYPE pubsub')
  return list.split('\n').filter((line) => line.includes('addr=')).length
}
const channels = async (): Promise<unknown> =>
  ((await (await stream('/pubsub/channels')).json()) as { result: unknown }).result
const streamsOpen = async (): Promise<string | undefined> =>
  /^hither_gateway_streams_open (\d+)$/m.exec(await (await stream('/metrics')).text())?.[1]
const textOf = (read: { value?: Uint8Array | undefined }): string => new TextDecoder().decode(read.value)

describe('the connection of streams', { timeout: 60_000 }, () => {
  it('is one for all channels and patterns, and ends with the last of them', async () => {
    await open()
    const names = Array.from({ length: 40 }, (_, i) => `c${i}`)
    const all = await Promise.all([
      stream(`/subscribe/${names.join('/')}`),
      stream('/psubscribe/c*/d*'),
      stream('/subscribe/c0'),
    ])
    expect(await listeners()).toBe(1)
    expect(await ask(server.port, 'PUBLISH c39 x')).toBe(':2')
    await all[0]?.body?.cancel()
    await expect.poll(channels, { timeout: 10_000 }).toEqual(['c0'])
    // A channel that was left can be subscribed to again.
    const again = await stream('/subscribe/c39/c0')
    expect(await ask(server.port, 'PUBLISH c39 x')).toBe(':2')
    for (const each of [...all.slice(1), again]) await each.body?.cancel()
    await expect.poll(listeners, { timeout: 10_000 }).toBe(0)
    expect(await streamsOpen()).toBe('0')
  })

  it('hears names that come and go at once', async () => {
    await open()
    const keep = await stream('/subscribe/keep')
    const work = Array.from({ length: 200 }, async (_, i) => {
      const each = await stream(`/subscribe/n${i % 5}`)
      expect(each.status).toBe(200)
      await each.body?.cancel()
    })
    await Promise.all(work)
    await expect.poll(channels, { timeout: 10_000 }).toEqual(['keep'])
    for (let i = 0; i < 5; i++) {
      const each = await stream(`/subscribe/n${i}`)
      const reader = (each.body as ReadableStream<Uint8Array>).getReader()
      expect(textOf(await reader.read())).toBe(`data: subscribe,n${i},1\n\n`)
      expect(await ask(server.port, `PUBLISH n${i} hello`)).toBe(':1')
      expect(textOf(await reader.read())).toBe(`data: message,n${i},hello\n\n`)
      await reader.cancel()
    }
    await keep.body?.cancel()
  })

  it('is bounded by what is listened to, not by requests alone', async () => {
    await open({ maxStreams: 5 })
    const first = await stream('/subscribe/a/b/c')
    expect([(await stream('/psubscribe/d/e/f')).status, (await stream('/subscribe/a/b/c/d/e/f')).status]).toEqual([
      503, 400,
    ])
    const second = await stream('/subscribe/d/e')
    expect([first.status, second.status]).toEqual([200, 200])
    for (const each of [first, second]) await each.body?.cancel()
  })

  it("says in the server's own words what a user of its ACL may not listen to, and goes on with the rest", async () => {
    const acl = ['--user', 'app', 'on', '>s3cret', '~*', '&ok*', '+@all', '-@dangerous', '-ping']
    server = await startServer('redis8', { args: acl })
    closing.push(() => server.stop())
    gateway = await startGateway({ redis: server.url.replace('//', '//app:s3cret@'), heartbeatMs: 50 })
    closing.push(() => gateway.stop())
    // Opens both at once, so that the second waits for its confirmation while the server refuses the first PING.
    const [fine, other] = await Promise.all([stream('/subscribe/ok1'), stream('/subscribe/ok3')])
    expect([fine.status, other.status]).toEqual([200, 200])
    await other.body?.cancel()
    for (const path of ['/subscribe/no', '/subscribe/ok2/no', '/psubscribe/n*', '/monitor']) {
      const refused = await stream(path)
      expect([path, refused.status, await refused.json()]).toEqual([
        path,
        400,
        { error: expect.stringMatching(/^NOPERM /) },
      ])
    }
    expect(await channels()).toEqual(['ok1'])
    const reader = (fine.body as ReadableStream<Uint8Array>).getReader()
    await ask(server.port, 'PUBLISH ok1 x')
    let heard = ''
    while (!heard.includes('message,ok1,x')) heard += textOf(await reader.read())
    await reader.cancel()
  })
})

describe('a stream', { timeout: 60_000 }, () => {
  it('ends where its client left while it was opened', async () => {
    await open()
    const proxy = await createTcpProxy(server.url)
    closing.push(() => proxy.stop())
    proxy.latency(30)
    gateway = await startGateway({ redis: proxy.url })
    closing.push(gateway.stop)
    const headers = { authorization: `Bearer ${gateway.token}` }
    for (const path of ['/subscribe/gone', '/psubscribe/gone*', '/monitor']) {
      await Promise.all(
        [0, 1, 2, 5, 10, 20, 30, 40, 60, 80].map(
          (ms) =>
            new Promise<void>((resolve) => {
              const request = httpRequest(gateway.url + path, { headers })
              request.on('error', () => {}).on('close', () => resolve())
              request.end()
              setTimeout(() => request.destroy(), ms)
            }),
        ),
      )
    }
    await expect.poll(streamsOpen, { timeout: 10_000 }).toBe('0')
    await expect.poll(listeners, { timeout: 10_000 }).toBe(0)
    await expect.poll(() => ask(server.port, 'CLIENT LIST'), { timeout: 10_000 }).not.toContain('cmd=monitor')
  })

  it('ends where the request of a fetch handler was aborted while it was opened', async () => {
    await open()
    const transport = tcpTransport({ url: server.url })
    closing.push(() => transport.close())
    const handler = createGateway({ transport, tokens: ['secret'] })
    const stop = new AbortController()
    const asked = handler(
      new Request('http://gateway/subscribe/gone', {
        headers: { authorization: 'Bearer secret' },
        signal: stop.signal,
      }),
    )
    stop.abort()
    await asked
    await expect.poll(listeners, { timeout: 10_000 }).toBe(0)
  })

  it('ends when its token may not listen any more, and no sooner', async () => {
    let tokens: GatewayTokens = ['one', 'two', { token: 'three', keyPrefixes: ['a'] }]
    await open({ token: 'keeper', tokens: () => tokens, heartbeatMs: 50 })
    const readers = await Promise.all(
      ['one', 'two', 'three'].map(async (token) => {
        const { body } = await stream('/subscribe/a1', token)
        return (body as ReadableStream<Uint8Array>).getReader()
      }),
    )
    tokens = ['two', { token: 'three', keyPrefixes: ['b'] }]
    const ended = async (reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> => {
      for (let heard = ''; ; ) {
        const read = await reader.read()
        if (read.done) return heard
        heard += textOf(read)
        if (heard.includes('message,a1,second')) return heard
      }
    }
    await expect.poll(streamsOpen, { timeout: 10_000 }).toBe('1')
    expect(await ask(server.port, 'PUBLISH a1 second')).toBe(':1')
    const [one, two, three] = await Promise.all(readers.map(ended))
    expect([one, three].map((heard) => heard?.includes('second'))).toEqual([false, false])
    expect(two).toContain('data: message,a1,second')
    await readers[1]?.cancel()
  })
})

describe('a stream that is slow, or slow to begin', { timeout: 60_000 }, () => {
  it('holds no copy of its own of what others hear as well, and ends where more would not fit', async () => {
    await open()
    const names = Array.from({ length: 100 }, () => stream('/subscribe/big'))
    const all = (await Promise.all(names)).map(({ body }) => (body as ReadableStream<Uint8Array>).getReader())
    const before = process.memoryUsage().arrayBuffers
    const text = 'x'.repeat(3_000_000)
    const publish = (): Promise<unknown> =>
      fetch(`${gateway.url}/publish/big`, {
        method: 'POST',
        headers: { authorization: `Bearer ${gateway.token}` },
        body: text,
      })
    await publish()
    await publish()
    await publish()
    // The gateway ends the streams whose clients read nothing.
    await expect.poll(streamsOpen, { timeout: 20_000 }).toBe('0')
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(400_000_000)
    await Promise.all(all.map((reader) => reader.cancel()))
  })

  it('gives its place back after the time that Redis has', async () => {
    await open({ maxStreams: 2, timeoutMs: 200 })
    const first = await stream('/subscribe/a')
    await server.kill('SIGSTOP')
    const late = await stream('/subscribe/b')
    expect([late.status, await late.json()]).toEqual([503, { error: expect.stringContaining('TIMEOUT') }])
    await server.kill('SIGCONT')
    await expect.poll(async () => (await stream('/subscribe/b')).status, { timeout: 10_000 }).toBe(200)
    await first.body?.cancel()
  })

  it('outlives a list of tokens that cannot be read', async () => {
    let broken = false
    const list: GatewayTokens = ['one']
    const tokens = (): GatewayTokens => {
      if (broken) throw new Error('unreadable')
      return list
    }
    await open({ token: 'keeper', tokens, heartbeatMs: 20 })
    const { body } = await stream('/subscribe/a', 'one')
    const reader = (body as ReadableStream<Uint8Array>).getReader()
    await reader.read()
    broken = true
    let heard = ''
    while (!heard.includes('ping')) heard += textOf(await reader.read())
    expect(await ask(server.port, 'PUBLISH a x')).toBe(':1')
    while (!heard.includes('message,a,x')) heard += textOf(await reader.read())
    await reader.cancel()
  })
})

describe('a reply that is too large', { timeout: 60_000 }, () => {
  const post = async (args: unknown, path = '/'): Promise<unknown> => {
    const init = { method: 'POST', headers: { authorization: `Bearer ${gateway.token}` }, body: JSON.stringify(args) }
    return (await fetch(gateway.url + path, init)).json()
  }
  it('says of a transaction that it ran', async () => {
    await open()
    const wide = 'local t = {} for i = 1, 600000 do t[i] = 1 end return t'
    const list = [
      ['INCR', 'ran'],
      ['EVAL', wide, 0],
      ['EVAL', wide, 0],
    ]
    expect(await post(list, '/multi-exec')).toEqual({ error: expect.stringMatching(/^TOOLARGE the transaction ran/) })
    expect(await ask(server.port, 'GET ran')).toBe('1')
  })
  it('is no line that another must pay for, nor one that MONITOR cannot show', async () => {
    await open()
    const monitor = (await stream('/monitor')).body as ReadableStream<Uint8Array>
    const reader = monitor.getReader()
    await reader.read()
    const group = 'g'.repeat(70_000)
    const answers = await Promise.all([
      ...Array.from({ length: 20 }, (_, i) => post(['ECHO', `${i}`])),
      post(['XPENDING', 'nothing', group]),
    ])
    expect(answers.slice(0, 20)).toEqual(Array.from({ length: 20 }, (_, i) => ({ result: `${i}` })))
    expect(answers[20]).toEqual({ error: expect.stringMatching(/^NOGROUP /) })
    let heard = ''
    while (!heard.includes(group)) heard += textOf(await reader.read())
    await reader.cancel()
  })
  it('ends the stream, where it was published', async () => {
    await open()
    const transport = tcpTransport({ url: server.url, maxReplyBytes: 1000 })
    closing.push(() => transport.close())
    const handler = createGateway({ transport, tokens: ['secret'] })
    const headers = { authorization: 'Bearer secret' }
    const { body } = await handler(new Request('http://gateway/subscribe/a', { headers }))
    let gaps = 0
    const heard: string[] = []
    await transport.subscribe(
      'a',
      (message) => heard.push(message),
      () => gaps++,
    )
    const reader = (body as ReadableStream<Uint8Array>).getReader()
    await reader.read()
    await ask(server.port, `PUBLISH a ${'x'.repeat(5000)}`)
    expect((await reader.read()).done).toBe(true)
    await expect.poll(() => gaps, { timeout: 10_000 }).toBe(1)
    expect(heard).toEqual([])
  })
  it('fails its own request alone', async () => {
    await open()
    const deep = 'local t = {} for i = 1, 100 do t = {t} end return t'
    const wide = 'local t = {} for i = 1, 1100000 do t[i] = 1 end return t'
    const answers = await Promise.all(
      Array.from({ length: 30 }, (_, i) => post(i % 10 === 3 ? ['EVAL', i === 3 ? wide : deep, 0] : ['ECHO', `${i}`])),
    )
    expect(answers).toEqual(
      answers.map((_, i) => (i % 10 === 3 ? { error: expect.stringMatching(/^TOOLARGE /) } : { result: `${i}` })),
    )
  })
})
