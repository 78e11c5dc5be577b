import { describe, expect, it } from 'vitest'
import { HitherError, StoreRejectedError } from '../../src/errors.ts'
import { createGateway, type GatewayOptions } from '../../src/gateway/index.ts'
import { GUARD_LINE } from '../../src/store/script-guard.ts'
import { type Command, ReplyError, type Transport, type Wire } from '../../src/store/transport.ts'

// What the handler makes of options, requests and replies, in any runtime. The tests of the protocol over real servers are
// in test/wire/gateway*.test.ts. The transport here gives replies that no server can be made to give.

const TOKEN = 'gateway-token-4711'
const nothing: Transport = {
  send: () => Promise.reject(new Error('not reached')),
  sendMany: () => Promise.reject(new Error('not reached')),
  transaction: () => Promise.reject(new Error('not reached')),
  close: async () => {},
}

interface Seen {
  readonly commands: readonly Command[]
  readonly bytes: boolean
}
/**
 * A transport that replies `reply` to everything, or rejects with it. Records what was sent, except for the gateway's own
 * question of how the server runs scripts.
 */
function answering(reply: Wire | Error, seen: Seen[] = []): Transport {
  const answer = (commands: readonly Command[], bytes: boolean): readonly Wire[] => {
    seen.push({ commands, bytes })
    if (reply instanceof Error) throw reply
    return commands.map(() => reply)
  }
  return {
    send: async (command, call) =>
      String(command.args[1]).startsWith(GUARD_LINE) ? 1 : (answer([command], call?.bytes === true)[0] as Wire),
    sendMany: async (commands, call) => answer(commands, call?.bytes === true),
    transaction: async (commands, call) => answer(commands, call?.bytes === true),
    close: async () => {},
  }
}

async function ask(
  options: Partial<GatewayOptions>,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: unknown; headers: Headers }> {
  const gateway = createGateway({ transport: nothing, tokens: [TOKEN], ...options })
  const response = await gateway(
    new Request(`http://gateway${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}`, ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    }),
  )
  const text = await response.text()
  expect(text).not.toContain(TOKEN)
  return { status: response.status, body: JSON.parse(text), headers: response.headers }
}

describe('createGateway', () => {
  it('refuses options that make no sense', () => {
    for (const options of [
      { tokens: [] },
      { tokens: [''] },
      { tokens: ['ok', 'white space'] },
      { tokens: ['naïve'] },
      { tokens: ['line\n'] },
      { maxBodyBytes: 0 },
      { maxBodyBytes: Number.NaN },
      { maxBodyBytes: Number.POSITIVE_INFINITY },
      { maxCommands: -1 },
      { maxCommands: 1.5 },
      { timeoutMs: 0 },
      { maxKeyBytes: 0 },
      { maxBufferedBytes: 1.5 },
      { maxStreams: -1 },
      { tokens: [{ token: 'ok', role: 'root' as 'full' }] },
      { tokens: [{ token: 'ok', commands: ['NOSUCH'] }] },
      { tokens: [{ token: 'ok', commands: ['FLUSHALL'] }] },
      { tokens: [{ token: 'ok', commands: ['BLPOP'], role: 'admin' as const }] },
      { tokens: [{ token: 'ok', role: 'read-only' as const, commands: ['SET'] }] },
      { tokens: [{ token: 'ok', keyPrefixes: ['a:'], commands: ['EVAL'] }] },
      { tokens: [{ token: 'ok', keyPrefixes: [] }] },
      { tokens: [{ token: 'ok', keyPrefixes: [''] }] },
      { tokens: [{ token: 'ok', prefix: 'a:' } as { token: string }] },
      { tokens: () => [] },
      { timeoutMs: '5' as unknown as number },
    ]) {
      expect(() => createGateway({ transport: nothing, tokens: [TOKEN], ...options })).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      )
    }
  })

  it('takes any of its tokens, and nothing near them', async () => {
    const tokens = ['first', 'second']
    for (const [token, status] of [
      ['first', 200],
      ['second', 200],
      ['firstsecond', 401],
      ['firs', 401],
      ['First', 401],
      ['third', 401],
    ] as const) {
      const authorization = `Bearer ${token}`
      expect((await ask({ tokens, transport: answering('x') }, '/', ['ECHO', 'x'], { authorization })).status).toBe(
        status,
      )
    }
  })

  it('asks for its tokens again, and keeps the last that made sense', async () => {
    let tokens: readonly string[] = ['first']
    const events: unknown[] = []
    const gateway = createGateway({
      transport: answering('x'),
      tokens: () => tokens,
      onEvent: (event) => {
        if (event.type === 'tokens-refused') events.push(event)
        throw new Error('a listener that throws')
      },
    })
    const status = async (token: string): Promise<number> => {
      const headers = { authorization: `Bearer ${token}` }
      return (await gateway(new Request('http://gateway/echo/x', { headers }))).status
    }
    expect([await status('first'), await status('second')]).toEqual([200, 401])
    tokens = ['second']
    expect([await status('first'), await status('second')]).toEqual([401, 200])
    tokens = ['white space']
    expect([await status('second'), await status('white')]).toEqual([200, 401])
    expect(events).toEqual([{ type: 'tokens-refused', reason: expect.stringMatching(/^tokens: /) }])
    expect(JSON.stringify(events)).not.toContain('white space')
  })

  it('bounds what one request holds', async () => {
    const caps = { maxKeyBytes: 10, maxValueBytes: 20, maxArguments: 5, transport: answering('OK') }
    const key = (bytes: number): string => `ERR max key size exceeded. Limit: 10 bytes, Actual: ${bytes} bytes`
    for (const [args, error] of [
      [['SET', 'k'.repeat(10), 'v'.repeat(20)], undefined],
      [['SET', 'k'.repeat(11), 'v'], key(11)],
      [['SET', 'é'.repeat(6), 'v'], key(12)],
      [['SET', 'é'.repeat(5), 'v'.repeat(11)], undefined],
      [['MGET', 'a', 'k'.repeat(11)], key(11)],
      [['SET', 'k', 'v'.repeat(21)], 'ERR max single record size exceeded'],
      [['EVAL', 'return 1 -- long', 1, 'k'.repeat(11)], key(11)],
      [['DEL', 'a', 'b', 'c', 'd'], undefined],
      [['DEL', 'a', 'b', 'c', 'd', 'e'], 'ERR a command may have 5 arguments'],
    ] as const) {
      const { status, body } = await ask(caps, '/', args)
      expect([args, status, body]).toEqual([args, error ? 400 : 200, error ? { error } : { result: 'OK' }])
      const whole = await ask(caps, '/pipeline', [['PING'], args])
      expect([args, whole.status]).toEqual([args, error ? 400 : 200])
    }
  })

  it('tells whether Redis answers, without a token', async () => {
    for (const [reply, status] of [
      ['PONG', 200],
      [new HitherError('TIMEOUT', 'x'), 503],
      [new ReplyError('LOADING x'), 503],
    ] as const) {
      const gateway = createGateway({ transport: answering(reply), tokens: [TOKEN] })
      expect((await gateway(new Request('http://gateway/healthz'))).status).toBe(status)
    }
  })

  it('bounds the commands of one request', async () => {
    const list = [['PING'], ['PING'], ['PING']]
    for (const path of ['/pipeline', '/multi-exec']) {
      expect((await ask({ maxCommands: 3, transport: answering('PONG') }, path, list)).status).toBe(200)
      expect((await ask({ maxCommands: 2 }, path, list)).status).toBe(400)
    }
  })
})

describe('what is sent', () => {
  it('is the name in upper case, then text; a read is marked as one, everything else once', async () => {
    const seen: Seen[] = []
    await ask({ transport: answering(null, seen) }, '/pipeline', [
      ['get', 'K', 1, true, null],
      ['set', 'k', 1.5],
      ['Evalsha_Ro', 'x', 0],
      ['eval', 'return 1', 0],
    ])
    expect(seen).toEqual([
      {
        bytes: false,
        commands: [
          { args: ['GET', 'K', '1', 'true', 'null'], effect: 'read' },
          { args: ['SET', 'k', '1.5'], effect: 'once' },
          { args: ['EVALSHA_RO', 'x', '0'], effect: 'read' },
          { args: ['EVAL', 'return 1', '0'], effect: 'once' },
        ],
      },
    ])
  })

  it('is one call for a pipeline, without what is refused, and none where all is refused', async () => {
    const seen: Seen[] = []
    const list = [['PING'], ['SUBSCRIBE', 'c'], ['PING']]
    const { body } = await ask({ transport: answering('PONG', seen) }, '/pipeline', list, {
      'upstash-encoding': 'base64',
    })
    expect(body).toEqual([
      { result: 'UE9ORw==' },
      { error: expect.stringContaining('SUBSCRIBE') },
      { result: 'UE9ORw==' },
    ])
    expect(seen.map(({ commands, bytes }) => [commands.length, bytes])).toEqual([[2, true]])
    expect((await ask({}, '/pipeline', [['MONITOR'], ['MULTI']])).status).toBe(200)
    expect((await ask({}, '/multi-exec', list)).status).toBe(400)
  })

  it('never is a large integer that lost digits', async () => {
    const seen: Seen[] = []
    const { status, body } = await ask({ transport: answering('OK', seen) }, '/', '["SET","k",9007199254740993]')
    // Where the runtime does not show the digits of a number in JSON, the gateway refuses the number.
    if (status === 400) expect(body).toEqual({ error: 'ERR send a number beyond 2^53 as a string' })
    else expect(seen[0]?.commands[0]?.args).toEqual(['SET', 'k', '9007199254740993'])
    for (const number of ['1e30', '1e999', '-1e999']) {
      expect((await ask({ transport: answering('OK') }, '/', `["SET","k",${number}]`)).status).toBe(400)
    }
  })
})

describe('scripts', { timeout: 30_000 }, () => {
  const hex = async (text: string): Promise<string> => {
    const bytes = new Uint8Array(await crypto.subtle.digest('SHA-1', new TextEncoder().encode(text)))
    return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  }

  it('are remembered by their digests, the newest 10,000', async () => {
    const seen: Seen[] = []
    const gateway = createGateway({ transport: answering('OK', seen), tokens: [TOKEN] })
    const post = async (list: unknown[][]): Promise<void> => {
      const headers = { authorization: `Bearer ${TOKEN}` }
      const body = JSON.stringify(list)
      expect((await gateway(new Request('http://gateway/pipeline', { method: 'POST', headers, body }))).status).toBe(
        200,
      )
    }
    const script = (i: number): string => `#!lua flags=allow-key-locking\nreturn ${i}`
    const [first, second] = [await hex(script(0)), await hex(script(1))]
    await post(Array.from({ length: 10_000 }, (_, i) => ['EVAL', script(i), 0]))
    await post([['EVALSHA', first, 0]])
    await post([
      ['EVAL', script(10_000), 0],
      ['EVALSHA', first, 0],
      ['EVALSHA', second, 0],
    ])
    const sent = seen.slice(1).map(({ commands }) => commands.map(({ args }) => args[1]))
    expect(sent).toEqual([[await hex('\nreturn 0')], ['\nreturn 10000', first, await hex('\nreturn 1')]])
  })
})

describe('replies', { timeout: 30_000 }, () => {
  const through = async (reply: Wire, encoding = ''): Promise<unknown> => {
    const headers = { 'upstash-encoding': encoding }
    return (await ask({ transport: answering(reply) }, '/', ['ECHO', 'x'], headers)).body
  }

  it('keep integers exact: a number to 2^53 - 1, text beyond', async () => {
    for (const [reply, result, encoded] of [
      [7n, 7, 7],
      [9007199254740991n, 9007199254740991, 9007199254740991],
      [9007199254740992n, '9007199254740992', 'OTAwNzE5OTI1NDc0MDk5Mg=='],
      [-9223372036854775808n, '-9223372036854775808', 'LTkyMjMzNzIwMzY4NTQ3NzU4MDg='],
    ] as const) {
      expect(await through(reply)).toEqual({ result })
      expect(await through([reply])).toEqual({ result: [result] })
      expect(await through(reply, 'base64')).toEqual({ result: encoded })
    }
  })

  it('encode megabytes, and leave an error inside an array readable', async () => {
    const bytes = new Uint8Array(3_000_000).fill(0xff)
    expect(await through(bytes, 'base64')).toEqual({ result: '////'.repeat(1_000_000) })
    expect(await through([1, new ReplyError('ERR in')], 'base64')).toEqual({ result: [1, { error: 'ERR in' }] })
    expect(await through(new ReplyError('WRONGTYPE x'), 'base64')).toEqual({ error: 'WRONGTYPE x' })
  })
})

describe('without an answer', () => {
  it('says whether anything ran, and invites to try again only where nothing did', async () => {
    const retryable = { retryable: true }
    for (const [error, text, retry] of [
      [
        new HitherError('STORE_UNAVAILABLE', 'secret host', retryable),
        'STORE_UNAVAILABLE: no answer from Redis, nothing ran',
        '1',
      ],
      [
        new HitherError('TIMEOUT', 'x', { maybeExecuted: true }),
        'TIMEOUT: no answer from Redis, the command may have run',
        null,
      ],
      [new HitherError('CLOSED', 'x'), 'CLOSED: no answer from Redis, nothing ran', '1'],
      [new Error('secret host'), 'INTERNAL: no answer from Redis, the command may have run', null],
    ] as const) {
      for (const [path, body] of [
        ['/', ['PING']],
        ['/pipeline', [['PING'], ['PING']]],
        ['/multi-exec', [['PING']]],
      ] as const) {
        const answer = await ask({ transport: answering(error) }, path, body)
        expect([answer.status, answer.body]).toEqual([503, { error: `ERR upstream ${text}` }])
        expect(answer.headers.get('retry-after')).toBe(retry)
        expect(answer.headers.get('upstash-sync-token')).toMatch(/./)
      }
    }
  })

  it('a discarded transaction is 400 with the command and the first word of its error', async () => {
    const { status, body } = await ask({ transport: answering(new StoreRejectedError('GET', 'ERR')) }, '/multi-exec', [
      ['GET'],
    ])
    expect(status).toBe(400)
    expect(body).toEqual({ error: 'EXECABORT Transaction discarded because of previous errors: GET: ERR' })
  })
})
