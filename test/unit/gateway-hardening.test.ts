import { describe, expect, it } from 'vitest'
import { HitherError } from '../../src/errors.ts'
import { createGateway, type Gateway, type GatewayOptions } from '../../src/gateway/index.ts'
import { type BatchCall, type Command, ReplyError, type Transport, type Wire } from '../../src/store/transport.ts'

// What a hostile or careless client meets, in any runtime, over a fake transport.

const TOKEN = 'hardening-4711'
type Respond = (args: Command['args'], nth: number) => Wire | Promise<Wire>

interface Fake extends Transport {
  readonly sent: (readonly (readonly unknown[])[])[]
  /** The replies that the transport has kept of its batches: null for each that it handed over. */
  readonly kept: Wire[]
}
/** Replies to each command by `respond`, and records each batch. With `piecewise` it hands over each reply as it comes. */
function fake(
  respond: Respond,
  { piecewise = true, ...rest }: Partial<Transport> & { piecewise?: boolean } = {},
): Fake {
  const sent: (readonly unknown[])[][] = []
  const kept: Wire[] = []
  let nth = 0
  const all = async (commands: readonly Command[], call: BatchCall = {}): Promise<Wire[]> => {
    sent.push(commands.map(({ args }) => args))
    const replies: Wire[] = []
    for (const [at, { args }] of commands.entries()) {
      const reply = await respond(args, nth++)
      replies.push(piecewise && call.onReply ? call.onReply(reply, at) : reply)
    }
    kept.push(...replies)
    return replies
  }
  return {
    sent,
    kept,
    send: async (command) => (await all([command]))[0] as Wire,
    sendMany: (commands, call) => all(commands, call),
    transaction: (commands) => all(commands),
    close: async () => {},
    ...rest,
  }
}

interface Asked {
  readonly status: number
  readonly text: string
  readonly headers: Headers
}
async function ask(gateway: Gateway, path: string, body?: unknown, init: RequestInit = {}): Promise<Asked> {
  const response = await gateway(
    new Request(`http://gateway${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      ...init,
      headers: { authorization: `Bearer ${TOKEN}`, ...(init.headers as Record<string, string>) },
    }),
  )
  return { status: response.status, text: await response.text(), headers: response.headers }
}
const over = (transport: Transport, options: Partial<GatewayOptions> = {}): Gateway =>
  createGateway({ transport, tokens: [TOKEN], ...options })

describe('what answers hold', () => {
  const kb = 'x'.repeat(1000)
  for (const piecewise of [true, false]) {
    it(`is bounded for each request, ${piecewise ? 'reply by reply' : 'of replies that come together'}`, async () => {
      const transport = fake((args) => (args[0] === 'GET' ? kb : 7), { piecewise })
      const gateway = over(transport, { maxAnswerBytes: 3500 })
      const list = [...Array.from({ length: 10 }, () => ['GET', 'k']), ['INCR', 'n']]
      const { status, text } = await ask(gateway, '/pipeline', list)
      const items = JSON.parse(text) as { result?: unknown; error?: string }[]
      expect([status, items.length]).toEqual([200, 11])
      expect(items.filter(({ result }) => result === kb)).toHaveLength(3)
      expect(items.filter(({ error }) => error?.startsWith('TOOLARGE the command ran'))).toHaveLength(7)
      expect(items[10]).toEqual({ result: 7 })
      // The transport holds none of the replies meanwhile.
      if (piecewise) expect(new Set(transport.kept)).toEqual(new Set([null]))
      const single = await ask(
        over(
          fake(() => kb),
          { maxAnswerBytes: 900 },
        ),
        '/',
        ['GET', 'k'],
      )
      expect([single.status, single.text]).toEqual([400, expect.stringContaining('TOOLARGE')])
    })
  }

  it('is bounded for all of them, until they are read or cancelled', async () => {
    const large = 'y'.repeat(100_000)
    const gateway = over(
      fake((args) => (args[1] === 'small' ? 'z' : large)),
      { maxAnswerBytes: 150_000, maxBufferedAnswerBytes: 150_000 },
    )
    const authorization = `Bearer ${TOKEN}`
    const get = (key: string): Promise<Response> =>
      gateway(new Request(`http://gateway/get/${key}`, { headers: { authorization } }))
    const first = await get('large')
    expect([first.status, first.headers.get('content-length')]).toEqual([200, '100013'])
    const second = await get('large')
    expect([second.status, second.headers.get('retry-after')]).toEqual([503, '1'])
    expect((await ask(gateway, '/', ['GETSET', 'large', 'x'])).text).toContain('OVERLOADED')
    expect((await get('small')).status).toBe(200)
    await first.body?.cancel()
    const third = await get('large')
    expect(await third.json()).toEqual({ result: large })
    const head = await gateway(new Request('http://gateway/get/large', { method: 'HEAD', headers: { authorization } }))
    expect(head.status).toBe(200)
    expect((await get('large')).status).toBe(200)
  })

  it('is let go when the reader takes nothing for too long', async () => {
    const large = 'y'.repeat(200_000)
    const gateway = over(
      fake(() => large),
      { maxAnswerBytes: 250_000, maxBufferedAnswerBytes: 250_000, answerTimeoutMs: 20 },
    )
    const first = await gateway(new Request('http://gateway/get/a', { headers: { authorization: `Bearer ${TOKEN}` } }))
    expect(await first.text()).toHaveLength(large.length + 13)
    const second = await gateway(new Request('http://gateway/get/a', { headers: { authorization: `Bearer ${TOKEN}` } }))
    const reader = (second.body as ReadableStream<Uint8Array>).getReader()
    await expect.poll(async () => (await ask(gateway, '/get/a')).status, { timeout: 5000 }).toBe(200)
    await expect(reader.read()).rejects.toThrow()
  })

  it('counts what streams have not sent: one that does not read ends before all are full', async () => {
    const say = new Map<string, (message: string) => void>()
    const transport = fake(() => 'v', {
      async subscribe(channel, onMessage) {
        say.set(channel, onMessage)
        return async () => void say.delete(channel)
      },
    })
    const gateway = over(transport, { maxAnswerBytes: 1000, maxBufferedAnswerBytes: 50_000 })
    const headers = { authorization: `Bearer ${TOKEN}` }
    const listen = async (channel: string): Promise<ReadableStreamDefaultReader<Uint8Array>> => {
      const { body } = await gateway(new Request(`http://gateway/subscribe/${channel}`, { headers }))
      return (body as ReadableStream<Uint8Array>).getReader()
    }
    const [silent, reading] = [await listen('silent'), await listen('reading')]
    const message = 'm'.repeat(10_000)
    for (let i = 0; i < 4; i++) say.get('silent')?.(message)
    expect([...say.keys()]).toEqual(['silent', 'reading'])
    say.get('silent')?.(message)
    await expect.poll(() => [...say.keys()]).toEqual(['reading'])
    // The subscription that ended takes up none of the bound, so one that is read goes on for as long as it likes.
    let read = 0
    for (let i = 0; i < 20; i++) {
      say.get('reading')?.(message)
      while (read < (i + 1) * 10_000) read += (await reading.read()).value?.length ?? Number.POSITIVE_INFINITY
    }
    expect(Number.isFinite(read)).toBe(true)
    expect([...say.keys()]).toEqual(['reading'])
    await Promise.all([silent.cancel(), reading.cancel()])
    await expect.poll(() => [...say.keys()]).toEqual([])
  })

  it('is let go when the request fails', async () => {
    let fails = true
    const transport = fake((args) => {
      if (args[1] === 'last' && fails) throw new HitherError('TIMEOUT', 'x', { maybeExecuted: true })
      return 'v'.repeat(1000)
    })
    const gateway = over(transport, { maxAnswerBytes: 2500, maxBufferedAnswerBytes: 2500 })
    const list = [
      ['GET', 'a'],
      ['GET', 'last'],
    ]
    for (let i = 0; i < 5; i++) expect((await ask(gateway, '/pipeline', list)).status).toBe(503)
    fails = false
    const { status, text } = await ask(gateway, '/pipeline', list)
    expect([status, text]).toEqual([200, expect.not.stringContaining('TOOLARGE')])
    // The replies of an answered request take up none of the bound either.
    for (let i = 0; i < 5; i++) expect((await ask(gateway, '/pipeline', list)).status).toBe(200)
  })
})

describe('a body', { timeout: 30_000 }, () => {
  const echo = fake((args) => String(args[1]))
  const malformed = '{"error":"ERR Failed to parse the request body as JSON"}'

  it('that is deep, or has too many elements, is refused before it is parsed', async () => {
    const gateway = over(echo)
    for (const text of ['['.repeat(3_000_000), '['.repeat(20_000) + ']'.repeat(20_000), '{"a":'.repeat(50_000)]) {
      expect(await ask(gateway, '/', text)).toMatchObject({ status: 400, text: malformed })
    }
    const many = `["ECHO",1234567890123456${',1'.repeat(4_800_000)}]`
    for (const path of ['/', '/pipeline', '/multi-exec']) {
      const { status, text } = await ask(gateway, path, many)
      expect([path, status, text]).toEqual([path, 400, '{"error":"ERR a request may have 1000000 arguments"}'])
    }
    expect(echo.sent).toEqual([])
  })

  it('keeps all digits of a number, wherever it stands, and touches nothing that is text', async () => {
    const gateway = over(fake((args) => args.slice(1).join(' ')))
    const long = '12345678901234567890'
    for (const [json, result] of [
      [`["ECHO",${long}]`, long],
      [`["ECHO",-${long}]`, `-${long}`],
      [`["ECHO",0.${long}]`, `0.${long}`],
      [
        `["ECHO",9007199254740993, "a,[${long}]", "\\"${long}\\\\", ${long} ]`,
        `9007199254740993 a,[${long}] "${long}\\ ${long}`,
      ],
      [`["ECHO","${'x'.repeat(40_000)}",${long}]`, `${'x'.repeat(40_000)} ${long}`],
      [`["ECHO",1.50,1e3,"1"]`, '1.5 1000 1'],
    ] as const) {
      const { status, text } = await ask(gateway, '/', json)
      expect([status, text]).toEqual([200, JSON.stringify({ result })])
    }
    for (const json of [
      `["ECHO",0${long}]`,
      `["ECHO",${long}.]`,
      `["ECHO",--${long}]`,
      `["ECHO",${long}"x"]`,
      `["ECHO" ${long}]`,
    ]) {
      expect(await ask(gateway, '/', json)).toMatchObject({ status: 400, text: malformed })
    }
  })

  it('of a command that its token may not run, named in the path, is not read', async () => {
    const gateway = over(echo, { tokens: [{ token: TOKEN, role: 'read-only' }] })
    const read: string[] = []
    const request = (target: string) => ({
      method: 'POST',
      target,
      header: (name: string) => (name === 'authorization' ? `Bearer ${TOKEN}` : undefined),
      body: {
        next: async () => {
          read.push(target)
          return undefined
        },
        cancel: async () => {},
      },
    })
    for (const target of ['/set/k', '/SET/k?EX=1', '/flushall', '/config/get', '/subscribed/x', '/blpop/k']) {
      const { status } = await gateway.handle(request(target))
      expect([target, status]).toEqual([target, 400])
    }
    expect(read).toEqual(['/subscribed/x'])
    expect((await gateway.handle(request('/get/k'))).status).toBe(200)
    expect(read).toEqual(['/subscribed/x', '/get/k'])
  })
})

describe('tokens', () => {
  it('that are listed twice are an error, not a role that wins', () => {
    const twice = [{ token: TOKEN, role: 'read-only' as const }, 'other', { token: TOKEN, role: 'admin' as const }]
    for (const tokens of [twice, ['a', 'a'], () => ['a', 'a']]) {
      expect(() => createGateway({ transport: fake(() => 1), tokens })).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT', message: 'tokens: one of them is listed twice' }),
      )
    }
  })

  it('have shares of what may wait: one leaves room for the others', async () => {
    let release: (reply: Wire) => void = () => {}
    const gate = new Promise<Wire>((resolve) => {
      release = resolve
    })
    const tokens = ['one', 'two', { token: 'three', maxConcurrent: 1 }]
    const gateway = createGateway({ transport: fake(() => gate), tokens, maxConcurrent: 4 })
    const get = (token: string): Promise<Asked> =>
      ask(gateway, '/get/k', undefined, { headers: { authorization: `Bearer ${token}` } })
    const waiting = [get('one'), get('one'), get('three')]
    await Promise.resolve()
    const refused = [await get('one'), await get('three')]
    expect(refused.map(({ status, headers }) => [status, headers.get('retry-after')])).toEqual([
      [503, '1'],
      [503, '1'],
    ])
    waiting.push(get('two'))
    expect((await get('two')).status).toBe(503)
    release('done')
    expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect((await get('one')).status).toBe(200)
    for (const maxStreams of [0, -1, 1.5]) {
      expect(() => createGateway({ transport: fake(() => 1), tokens: [{ token: 'a', maxStreams }] })).toThrow('whole')
    }
  })

  it('have shares of the streams, and one stream may not take all of them', async () => {
    const transport = fake(() => 1, { subscribe: async () => async () => {} })
    const gateway = createGateway({ transport, tokens: ['one', 'two'], maxStreams: 20, maxChannels: 8 })
    const listen = async (token: string, channels: number): Promise<[number, Response]> => {
      const path = Array.from({ length: channels }, (_, i) => `/c${i}`).join('')
      const headers = { authorization: `Bearer ${token}` }
      const response = await gateway(new Request(`http://gateway/subscribe${path}`, { headers }))
      return [response.status, response]
    }
    const [first, second] = [await listen('one', 9), await listen('one', 8)]
    expect([first[0], second[0], (await listen('one', 3))[0], (await listen('two', 8))[0]]).toEqual([
      400, 200, 503, 200,
    ])
    await second[1].body?.cancel()
    expect((await listen('one', 3))[0]).toBe(200)
  })
})

describe('a page of another site', () => {
  it('does not write with the token in its url', async () => {
    const transport = fake(() => 'OK')
    const gateway = over(transport, { queryToken: true })
    const from = async (site: string | undefined, path: string, init: RequestInit = {}): Promise<number> => {
      const headers: Record<string, string> = site ? { 'sec-fetch-site': site } : {}
      const at = `http://gateway${path}${path.includes('?') ? '&' : '?'}_token=${TOKEN}`
      return (await gateway(new Request(at, { ...init, headers }))).status
    }
    for (const path of ['/set/k/v', '/flushdb', '/eval/return%201/0', '/publish/c/m']) {
      expect([path, await from('cross-site', path)]).toEqual([path, 400])
    }
    expect(transport.sent).toEqual([])
    for (const site of [undefined, 'none', 'same-origin', 'same-site']) expect(await from(site, '/set/k/v')).toBe(200)
    expect(await from('cross-site', '/get/k')).toBe(200)
    expect(await from('cross-site', '/', { method: 'POST', body: '["SET","k","v"]' })).toBe(400)
    const pipeline = await gateway(
      new Request(`http://gateway/pipeline?_token=${TOKEN}`, {
        method: 'POST',
        headers: { 'sec-fetch-site': 'cross-site' },
        body: '[["SET","k","v"],["GET","k"]]',
      }),
    )
    expect(await pipeline.json()).toEqual([{ error: expect.stringMatching(/^NOPERM /) }, { result: 'OK' }])
    // A page cannot send an Authorization header to another origin without asking first (CORS).
    expect((await ask(gateway, '/set/k/v', undefined, { headers: { 'sec-fetch-site': 'cross-site' } })).status).toBe(
      200,
    )
  })

  it('reads where its origin is listed, with a read-only token', async () => {
    const tokens = [{ token: TOKEN, role: 'read-only' as const }, 'full-one']
    const gateway = over(
      fake(() => 'v'),
      { tokens, cors: ['https://app.example'] },
    )
    const origin = 'https://app.example'
    const preflight = await gateway(
      new Request('http://gateway/get/k', {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization' },
      }),
    )
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-origin')).toBe(origin)
    expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization')
    expect(preflight.headers.get('vary')).toBe('origin')
    const allowed = await ask(gateway, '/get/k', undefined, { headers: { origin } })
    expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([200, origin])
    const wrong = await ask(gateway, '/get/k', undefined, { headers: { origin, authorization: 'Bearer nobody' } })
    expect([wrong.status, wrong.headers.get('access-control-allow-origin')]).toEqual([401, origin])
    const full = await ask(gateway, '/get/k', undefined, { headers: { origin, authorization: 'Bearer full-one' } })
    expect([full.status, full.headers.get('access-control-allow-origin')]).toEqual([400, null])
    const server = await ask(gateway, '/get/k', undefined, { headers: { authorization: 'Bearer full-one' } })
    expect(server.status).toBe(200)
    for (const other of ['https://evil.example', 'null', 'https://app.example:444', 'http://app.example']) {
      const { status, headers } = await ask(gateway, '/get/k', undefined, { headers: { origin: other } })
      expect([other, status, headers.get('access-control-allow-origin')]).toEqual([other, 200, null])
    }
  })

  it('is not served by default, and origins that are none are refused', async () => {
    const gateway = over(fake(() => 'v'))
    const headers = { origin: 'https://app.example', 'access-control-request-method': 'GET' }
    expect((await gateway(new Request('http://gateway/get/k', { method: 'OPTIONS', headers }))).status).toBe(405)
    expect((await ask(gateway, '/get/k', undefined, { headers })).headers.get('access-control-allow-origin')).toBe(null)
    const any = over(
      fake(() => 'v'),
      { cors: ['*'], tokens: [{ token: TOKEN, role: 'read-only' }] },
    )
    expect((await ask(any, '/get/k', undefined, { headers })).headers.get('access-control-allow-origin')).toBe('*')
    for (const cors of [
      [],
      ['https://app.example/'],
      ['app.example'],
      ['null'],
      ['https://a.example/x'],
      '*',
    ] as never[]) {
      expect(() =>
        over(
          fake(() => 1),
          { cors },
        ),
      ).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    }
  })
})

describe('health', () => {
  it('is good while Redis answers what reads', async () => {
    for (const [reply, status] of [
      ['PONG', 200],
      [new ReplyError('MISCONF Redis is configured to save RDB snapshots'), 200],
      [new ReplyError("NOPERM this user has no permissions to run the 'ping' command"), 200],
      [new ReplyError('LOADING Redis is loading the dataset in memory'), 503],
      [new ReplyError('MASTERDOWN Link with MASTER is down'), 503],
      [new ReplyError('NOAUTH Authentication required.'), 503],
    ] as const) {
      const { status: actual, text } = await ask(over(fake(() => reply)), '/healthz')
      expect([reply, actual]).toEqual([reply, status])
      expect(text.includes('MISCONF')).toBe(reply instanceof ReplyError && reply.word === 'MISCONF')
    }
  })
})

describe('SCAN … WITHTYPE', () => {
  const keys = (count: number): string[] => Array.from({ length: count }, (_, i) => `k${i}`)
  it('asks for fewer keys at a time, and for their types in batches', async () => {
    const transport = fake((args) => (args[0] === 'SCAN' ? ['7', keys(2500)] : 'string'))
    const { text } = await ask(over(transport), '/', ['SCAN', '0', 'count', '95000', 'WITHTYPE', 'MATCH', 'COUNT'])
    expect(transport.sent[0]).toEqual([['SCAN', '0', 'count', 1000, 'MATCH', 'COUNT']])
    expect(transport.sent.slice(1).map(({ length }) => length)).toEqual([1000, 1000, 500])
    const { result } = JSON.parse(text) as { result: [string, string[]] }
    expect([result[0], result[1].length, result[1].slice(0, 4)]).toEqual(['7', 5000, ['k0', 'string', 'k1', 'string']])
  })

  it('is bounded for a request, and says that the SCAN ran', async () => {
    const transport = fake((args) => (args[0] === 'SCAN' ? ['0', keys(900)] : 'string'))
    const list = Array.from({ length: 3 }, () => ['SCAN', '0', 'WITHTYPE'])
    const { text } = await ask(over(transport, { maxCommands: 2000 }), '/pipeline', list)
    const items = JSON.parse(text) as { result?: unknown; error?: string }[]
    expect(items.map(({ error }) => error)).toEqual([undefined, undefined, expect.stringMatching(/^ERR the SCAN ran/)])
    expect(transport.sent.flat().filter(([name]) => name === 'TYPE')).toHaveLength(1800)
  })

  it('never says that nothing ran when the types do not come', async () => {
    const lost = new HitherError('STORE_UNAVAILABLE', 'x', { retryable: true })
    const respond: Respond = (args) => {
      if (args[0] === 'TYPE') throw lost
      return args[0] === 'SCAN' ? ['0', ['k']] : 1
    }
    const single = await ask(over(fake(respond)), '/', ['SCAN', '0', 'WITHTYPE'])
    expect([single.status, single.headers.get('retry-after')]).toEqual([503, null])
    expect(single.text).toContain('the command may have run')
    for (const path of ['/pipeline', '/multi-exec']) {
      const { status, text } = await ask(over(fake(respond)), path, [
        ['INCR', 'n'],
        ['SCAN', '0', 'WITHTYPE'],
      ])
      expect([status, JSON.parse(text)]).toEqual([
        200,
        [{ result: 1 }, { error: 'ERR upstream STORE_UNAVAILABLE: no answer from Redis, the command may have run' }],
      ])
    }
  })
})

describe('before a server whose keys are in slots', () => {
  const crossSlot = new ReplyError("CROSSSLOT Keys in request don't hash to the same slot")
  const values: Record<string, Wire> = { a: '1', b: '2', list: new ReplyError('WRONGTYPE x') }
  const slotted: Respond = (args) => {
    const [name, ...rest] = args
    if (rest.length > 1 && name !== 'SET') return crossSlot
    return name === 'GET' ? (values[String(rest[0])] ?? null) : 1
  }

  it('asks once, then sends by key what means the same by key', async () => {
    const transport = fake(slotted)
    const gateway = over(transport)
    const { text } = await ask(gateway, '/pipeline', [
      ['MGET', 'a', 'none', 'list', 'b'],
      ['SET', 'a', 'x'],
      ['DEL', 'a', 'b'],
      ['EXISTS', 'a', 'b', 'a'],
      ['UNLINK', 'c', 'd'],
      ['TOUCH', 'a'],
      ['PFCOUNT', 'a', 'b'],
    ])
    expect(JSON.parse(text)).toEqual([
      { result: ['1', null, null, '2'] },
      { result: 1 },
      { result: 2 },
      { result: 3 },
      { result: 2 },
      { result: 1 },
      { error: crossSlot.message },
    ])
    expect(transport.sent).toHaveLength(2)
    expect((await ask(gateway, '/', ['MGET', 'a', 'b'])).text).toBe('{"result":["1","2"]}')
    expect(transport.sent).toHaveLength(3)
  })

  it('asks a server without slots once as well', async () => {
    const transport = fake((args) => (args[0] === 'MGET' ? ['1', '2'] : 0))
    const gateway = over(transport)
    for (let i = 0; i < 2; i++) await ask(gateway, '/', ['MGET', 'a', 'b'])
    expect(transport.sent.map(([first]) => first?.[0])).toEqual(['EXISTS', 'MGET', 'MGET'])
  })

  it('learns it from a refusal where it may not ask', async () => {
    const transport = fake((args, nth) => (nth === 0 ? new ReplyError('NOPERM no key of these') : slotted(args, nth)))
    const gateway = over(transport)
    for (let i = 0; i < 2; i++) {
      expect((await ask(gateway, '/', ['MGET', 'a', 'b'])).text).toBe('{"result":["1","2"]}')
    }
    // The question, the refused MGET, and the MGET by key. Then the second MGET, by key at once.
    expect(transport.sent.map(({ length }) => length)).toEqual([1, 1, 2, 2])
  })

  it('bounds what comes by key as it bounds one reply', async () => {
    const transport = fake((args) => (args.length > 2 ? crossSlot : 'x'.repeat(1000)))
    const gateway = over(transport, { maxAnswerBytes: 2500, maxBufferedAnswerBytes: 2500 })
    const { status, text } = await ask(gateway, '/', ['MGET', 'a', 'b', 'c', 'd'])
    expect([status, text]).toEqual([400, expect.stringContaining('TOOLARGE')])
    expect((await ask(gateway, '/', ['MGET', 'a', 'b'])).status).toBe(200)
  })

  it('refuses what would see one node of a Cluster', async () => {
    const gateway = over(fake(slotted, { cluster: true }), { tokens: [{ token: TOKEN, role: 'admin' }] })
    for (const args of [['SCAN', '0'], ['KEYS', '*'], ['DBSIZE'], ['RANDOMKEY'], ['FLUSHALL'], ['FLUSHDB']]) {
      expect(await ask(gateway, '/', args)).toMatchObject({
        status: 400,
        text: expect.stringContaining('before a Cluster'),
      })
    }
    expect((await ask(gateway, '/', ['MGET', 'a', 'b'])).text).toBe('{"result":["1","2"]}')
  })

  it('stays as it is in a transaction, which by key would be none', async () => {
    const transport = fake(slotted, { cluster: true })
    await ask(over(transport), '/multi-exec', [['MGET', 'a', 'b']])
    expect(transport.sent).toEqual([[['MGET', 'a', 'b']]])
  })
})
