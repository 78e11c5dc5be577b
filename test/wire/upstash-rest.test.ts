import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { Redis } from '@upstash/redis'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { upstashStore, upstashTransport } from '../../adapters/upstash/index.ts'
import { HitherError } from '../../src/errors.ts'
import { type Command, ReplyError } from '../../src/store/transport.ts'
import { certificate } from '../support/certificate.ts'

// What the store sends, and which error each fault becomes. A server in this file responds as each test tells it to.

const TOKEN = 'a-secret-token'

interface Seen {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}
interface Answer {
  readonly status?: number
  readonly body?: unknown
  readonly text?: string
  readonly headers?: Record<string, string>
  /** Accept the request, then cut the connection. */
  readonly cut?: true
  /** Accept the request and never respond. */
  readonly hang?: true
}

let server: Server
let url: string
let seen: Seen[]
let answer: (request: Seen, n: number) => Answer

beforeEach(async () => {
  seen = []
  answer = () => ({ body: { result: 'OK' } })
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const got: Seen = { path: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks) }
    seen.push(got)
    const reply = answer(got, seen.length)
    if (reply.hang) return
    if (reply.cut) return request.socket.destroy()
    response.writeHead(reply.status ?? 200, { 'content-type': 'application/json', ...reply.headers })
    response.end(reply.text ?? JSON.stringify(reply.body))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterEach(async () => {
  server.closeAllConnections()
  await new Promise((done) => server.close(done))
})

const open = (options: Partial<Parameters<typeof upstashTransport>[0]> = {}) =>
  upstashTransport({ url, token: TOKEN, ...options } as Parameters<typeof upstashTransport>[0])
const read = (...args: Command['args']): Command => ({ args, effect: 'read' })
const write = (...args: Command['args']): Command => ({ args, effect: 'once' })

/** Resolves to the error of a call that must reject. Expects that the error shows no secret. */
async function failed(call: Promise<unknown>): Promise<HitherError> {
  const error: unknown = await call.then(
    () => expect.unreachable('it resolved'),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(HitherError)
  const shown = `${(error as HitherError).message} ${JSON.stringify(error)}`
  for (const secret of [TOKEN, 'secret-value', 'secret-key']) expect(shown).not.toContain(secret)
  return error as HitherError
}

describe('requests', () => {
  it('sends one command as a JSON array to the root, with the token in the header only', async () => {
    await open().send(write('SET', 'secret-key', 'secret-value', 'PX', 1000))
    expect(seen).toHaveLength(1)
    expect(seen[0]?.path).toBe('/')
    expect(JSON.parse(String(seen[0]?.body))).toEqual(['SET', 'secret-key', 'secret-value', 'PX', 1000])
    expect(seen[0]?.headers).toMatchObject({ authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' })
    expect(seen[0]?.headers).not.toHaveProperty('upstash-encoding')
    expect(seen[0]?.headers).not.toHaveProperty('upstash-sync-token')
  })

  it('keeps a path in the url and drops a slash at its end', async () => {
    await open({ url: `${url}/redis/` }).send(read('GET', 'k'))
    expect(seen[0]?.path).toBe('/redis/')
    answer = () => ({ body: [{ result: 1 }] })
    await open({ url: `${url}/redis/` }).sendMany([read('GET', 'k')])
    expect(seen[1]?.path).toBe('/redis/pipeline')
  })

  it('sends many as one pipeline, in order, errors as values per item', async () => {
    answer = () => ({ body: [{ result: 'v' }, { error: 'WRONGTYPE secret-value' }, { result: [1, null, ['x']] }] })
    const replies = await open().sendMany([read('GET', 'a'), write('INCR', 'b'), read('X')])
    expect(seen).toHaveLength(1)
    expect(seen[0]?.path).toBe('/pipeline')
    expect(JSON.parse(String(seen[0]?.body))).toEqual([['GET', 'a'], ['INCR', 'b'], ['X']])
    expect(replies).toEqual(['v', new ReplyError('WRONGTYPE secret-value'), [1, null, ['x']]])
  })

  it('gives every command of a refused pipeline the refusal, and rejects a refused transaction', async () => {
    answer = () => ({ status: 400, body: { error: 'ERR max request size exceeded' } })
    const replies = await open().sendMany([read('A'), read('B')])
    expect(replies).toEqual([
      new ReplyError('ERR max request size exceeded'),
      new ReplyError('ERR max request size exceeded'),
    ])
    answer = () => ({ status: 400, body: { error: 'EXECABORT secret-value' } })
    const error = await failed(open().transaction([write('SET', 'k', 'v')]))
    expect(error).toMatchObject({ code: 'STORE_REJECTED', reply: 'EXECABORT', maybeExecuted: false })
    expect(seen.at(-1)?.path).toBe('/multi-exec')
  })

  it('answers a transaction item by item', async () => {
    answer = () => ({ body: [{ result: 'OK' }, { error: 'ERR value is not an integer' }] })
    const replies = await open().transaction([write('SET', 'k', 'v'), write('INCR', 'k')])
    expect(replies).toEqual(['OK', new ReplyError('ERR value is not an integer')])
  })

  it('takes the error reply of one command as a value, whatever the status', async () => {
    for (const status of [200, 400]) {
      answer = () => ({ status, body: { error: 'NOSCRIPT No matching script' } })
      const reply = await open().send(read('EVALSHA', 'x', 0))
      expect(reply).toBeInstanceOf(ReplyError)
      expect((reply as ReplyError).word).toBe('NOSCRIPT')
    }
  })
})

describe('bytes', () => {
  const call = { bytes: true }

  it('asks for base64 and decodes at any depth', async () => {
    const raw = Buffer.from([0, 255, 128, 10])
    answer = () => ({ body: { result: [raw.toString('base64'), 7, null, [raw.toString('base64')]] } })
    expect(await open().send(read('X'), call)).toEqual([new Uint8Array(raw), 7, null, [new Uint8Array(raw)]])
    expect(seen[0]?.headers['upstash-encoding']).toBe('base64')
  })

  it('leaves a bare OK alone, also inside an array, and decodes an encoded one', async () => {
    answer = () => ({ body: { result: 'OK' } })
    expect(await open().send(write('SET', 'k', 'v'), call)).toBe('OK')
    answer = () => ({ body: { result: ['OK', 'T0s='] } })
    expect(await open().send(read('X'), call)).toEqual(['OK', new Uint8Array([79, 75])])
    answer = () => ({ body: [{ result: 'OK' }, { result: '' }] })
    expect(await open().sendMany([write('SET', 'k', 'v'), read('GET', 'k')], call)).toEqual(['OK', new Uint8Array()])
  })

  it('refuses text that is not base64', async () => {
    for (const result of ['plain text', 'abc', '%%%%']) {
      answer = () => ({ body: { result } })
      expect(await failed(open().send(read('GET', 'k'), call))).toMatchObject({ code: 'BAD_REPLY' })
    }
  })

  it('sends bytes raw, by path', async () => {
    const bytes = new Uint8Array([0, 255, 1, 128])
    await open().send(write('SET', 'a/b c?é%', bytes, 'PX', 1500), call)
    expect(seen[0]?.path).toBe('/SET/a%2Fb%20c%3F%C3%A9%25?PX=1500')
    expect(new Uint8Array(seen[0]?.body ?? [])).toEqual(bytes)
    expect(seen[0]?.headers).not.toHaveProperty('content-type')
    await open().send(write('SET', 'k', bytes), call)
    expect(seen[1]?.path).toBe('/SET/k')
  })

  it('refuses a key that no path can hold', async () => {
    for (const key of ['.', '..']) {
      const error = await failed(open().send(write('SET', key, new Uint8Array(1)), call))
      expect(error).toMatchObject({ code: 'INVALID_KEY', maybeExecuted: false })
    }
    expect(seen).toHaveLength(0)
  })

  it('sends several with bytes one after another', async () => {
    const many = [write('SET', 'a', new Uint8Array(1)), write('SET', 'b', new Uint8Array(1))]
    expect(await open().sendMany(many, call)).toEqual(['OK', 'OK'])
    expect(seen.map(({ path }) => path)).toEqual(['/SET/a', '/SET/b'])
  })
})

describe('sync token', () => {
  it('sends the newest token seen, errors and pipelines included', async () => {
    answer = (_, n) => ({
      status: n === 2 ? 400 : 200,
      body: n === 2 ? { error: 'ERR' } : n === 3 ? [{ result: 1 }] : { result: 1 },
      headers: { 'upstash-sync-token': `token-${n}` },
    })
    const transport = open()
    await transport.send(read('A'))
    await transport.send(read('B'))
    await transport.sendMany([read('C')])
    await transport.send(read('D'))
    expect(seen.map(({ headers }) => headers['upstash-sync-token'])).toEqual([
      undefined,
      'token-1',
      'token-2',
      'token-3',
    ])
    expect(transport.syncToken).toBe('token-4')
  })

  it('keeps its token when a reply has none', async () => {
    answer = (_, n) => ({ body: { result: 1 }, headers: n === 1 ? { 'upstash-sync-token': 'kept' } : {} })
    const transport = open()
    for (let i = 0; i < 3; i++) await transport.send(read('A'))
    expect(seen[2]?.headers['upstash-sync-token']).toBe('kept')
  })

  it('carries on from another isolate, by option or by assignment', async () => {
    const store = upstashStore({ url, token: TOKEN, syncToken: 'from-a' })
    answer = () => ({ body: { result: null } })
    await store.get('k')
    store.syncToken = 'from-b'
    await store.get('k')
    expect(seen.map(({ headers }) => headers['upstash-sync-token'])).toEqual(['from-a', 'from-b'])
    expect(() => {
      store.syncToken = 'a\r\nx: y'
    }).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    expect(store.syncToken).toBe('from-b')
  })
})

describe('faults', () => {
  it('reports a lost reply as maybe executed, once sent and never again', async () => {
    answer = () => ({ cut: true })
    const error = await failed(open().send(write('INCR', 'secret-key')))
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true, maybeExecuted: true })
    expect(seen).toHaveLength(1)
  })

  it('reports a body cut short the same way', async () => {
    answer = () => ({ text: '{"result":', headers: { 'content-length': '100' } })
    setTimeout(() => server.closeAllConnections(), 50)
    expect(await failed(open().send(write('INCR', 'k')))).toMatchObject({
      code: 'STORE_UNAVAILABLE',
      maybeExecuted: true,
    })
  })

  it('reports an unreachable host', async () => {
    const error = await failed(open({ url: 'http://127.0.0.1:1' }).send(read('GET', 'secret-key')))
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true })
  })

  it('names the code of a certificate that nobody vouches for, to a read and to a write', async () => {
    const secure = createSecureServer(certificate, (_, response) => response.end()).listen(0, '127.0.0.1')
    await new Promise((done) => secure.once('listening', done))
    const store = upstashStore({ url: `https://localhost:${(secure.address() as AddressInfo).port}`, token: TOKEN })
    const reason = { code: 'STORE_UNAVAILABLE', maybeExecuted: false, message: expect.stringMatching(/CERT/) }
    expect(await failed(store.get('k'))).toMatchObject(reason)
    expect(await failed(store.set('k', 'v'))).toMatchObject(reason)
    await store.close()
    await new Promise((done) => secure.close(done))
  })

  it('says why a read that was sent again found no reply before its deadline', async () => {
    const store = upstashStore({ url: url.replace('http:', 'https:'), token: TOKEN })
    const error = await failed(store.get('k', { deadline: Date.now() + 300 }))
    expect(error).toMatchObject({ code: 'TIMEOUT', cause: { code: 'STORE_UNAVAILABLE' } })
    expect((error.cause as Error).message).toMatch(/no reply from the endpoint \(ERR_SSL_\w+\): check/)
    await store.close()
  })

  it('rejects a refused token as UNAUTHORIZED, which did not run', async () => {
    for (const status of [401, 403]) {
      answer = () => ({ status, body: { error: 'WRONGPASS invalid or missing auth token' } })
      const error = await failed(open().send(write('SET', 'k', 'v')))
      expect(error).toMatchObject({ code: 'UNAUTHORIZED', retryable: false, maybeExecuted: false })
    }
    const error = await failed(upstashStore({ url, token: TOKEN }).ready())
    expect(error).toMatchObject({ code: 'UNAUTHORIZED' })
  })

  it('rejects what is no Upstash reply', async () => {
    const answers: Answer[] = [
      { text: '<html>secret-value</html>' },
      { text: '' },
      { body: 'secret-value' },
      { body: null },
      { body: {} },
      { body: { result: { a: 1 } } },
      { body: [] },
      { status: 404, text: 'not found' },
      { status: 204, text: '' },
      { text: `{"result":${'['.repeat(20_000)}${']'.repeat(20_000)}}` },
    ]
    for (const each of answers) {
      answer = () => each
      const error = await failed(open().send(write('SET', 'k', 'v')))
      expect(error, JSON.stringify(each).slice(0, 80)).toMatchObject({ code: 'BAD_REPLY', maybeExecuted: true })
    }
  })

  it('rejects a pipeline whose reply has another length or shape', async () => {
    for (const body of [
      [],
      [{ result: 1 }],
      [{ result: 1 }, { result: 2 }, { result: 3 }],
      [1, 2],
      { result: [1, 2] },
      'x',
    ]) {
      answer = () => ({ body })
      const error = await failed(open().sendMany([write('INCR', 'a'), write('INCR', 'b')]))
      expect(error, JSON.stringify(body)).toMatchObject({ code: 'BAD_REPLY', maybeExecuted: true })
    }
  })

  it('reports a failing endpoint', async () => {
    for (const status of [500, 502, 503]) {
      answer = () => ({ status, text: 'secret-value' })
      const error = await failed(open().send(write('SET', 'k', 'v')))
      expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true, maybeExecuted: true })
    }
  })

  it('follows no redirect, so that the token goes nowhere else', async () => {
    let elsewhere = 0
    const other = createServer((_, response) => {
      elsewhere++
      response.end('{"result":"OK"}')
    })
    await new Promise<void>((done) => other.listen(0, '127.0.0.1', done))
    const location = `http://127.0.0.1:${(other.address() as AddressInfo).port}/`
    for (const status of [301, 302, 307, 308]) {
      answer = () => ({ status, text: '{"result":"OK"}', headers: { location } })
      expect(await failed(open().send(read('GET', 'k')))).toMatchObject({ code: 'BAD_REPLY' })
    }
    await new Promise((done) => other.close(done))
    expect(elsewhere).toBe(0)
  })

  it('waits as long as Retry-After says on 429, in seconds or as a date', async () => {
    for (const value of ['1', new Date(Date.now() + 2000).toUTCString(), '0', 'soon', undefined]) {
      seen = []
      answer = (_, n) =>
        n === 1
          ? { status: 429, text: 'busy', headers: value === undefined ? {} : { 'retry-after': value } }
          : { body: { result: 'v' } }
      expect(await open().send(write('INCR', 'k'))).toBe('v')
      expect(seen).toHaveLength(2)
    }
  })

  it('rejects at once when 429 asks to wait past the deadline: it did not run', async () => {
    answer = () => ({ status: 429, text: 'busy', headers: { 'retry-after': '3600' } })
    const error = await failed(open().send(write('INCR', 'k')))
    expect(error).toMatchObject({ code: 'OVERLOADED', retryable: true, maybeExecuted: false })
    expect(seen).toHaveLength(1)
  })

  it('rejects at the first 429 where the call would not wait: alone, in a batch and in a transaction', async () => {
    answer = () => ({ status: 429, text: 'busy', headers: { 'retry-after': '0' } })
    const [transport, command, call] = [open(), write('INCR', 'k'), { patient: false }]
    const calls = [
      () => transport.send(command, call),
      () => transport.sendMany([command, command], call),
      () => transport.transaction([command], call),
    ]
    for (const run of calls) {
      seen = []
      expect(await failed(run())).toMatchObject({ code: 'OVERLOADED', retryable: true, maybeExecuted: false })
      expect(seen).toHaveLength(1)
    }
  })

  it('ends a 429 without end before the deadline', async () => {
    answer = () => ({ status: 429, text: 'busy', headers: { 'retry-after': '0' } })
    const error = await failed(open().send(write('INCR', 'k'), { deadline: Date.now() + 600 }))
    expect(error).toMatchObject({ code: 'OVERLOADED', maybeExecuted: false })
    expect(seen.length).toBeLessThan(8)
  })
})

describe('deadline and abort', () => {
  it('rejects TIMEOUT when no reply comes, and drops the request', async () => {
    answer = () => ({ hang: true })
    const error = await failed(open().send(write('INCR', 'k'), { deadline: Date.now() + 100 }))
    expect(error).toMatchObject({ code: 'TIMEOUT', retryable: true, maybeExecuted: true })
  })

  it('uses timeoutMs where a call names no deadline', async () => {
    answer = () => ({ hang: true })
    expect(await failed(open({ timeoutMs: 50 }).send(read('GET', 'k')))).toMatchObject({ code: 'TIMEOUT' })
  })

  it('settles a caller of the store also when fetch ignores its signal', async () => {
    const store = upstashStore({ url, token: TOKEN, timeoutMs: 50, fetch: () => new Promise(() => {}) })
    expect(await failed(store.get('k'))).toMatchObject({ code: 'TIMEOUT' })
  })

  it('rejects with the reason of a signal: before, without a request', async () => {
    const reason = new Error('mine')
    await expect(open().send(read('GET', 'k'), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(seen).toHaveLength(0)
  })

  it('rejects with the reason of a signal: during, and ends the fetch', async () => {
    const controller = new AbortController()
    const reason = new Error('mine')
    let ended: AbortSignal | null | undefined
    const transport = open({
      fetch: (to, init) => {
        ended = init.signal
        return fetch(to, init)
      },
    })
    answer = () => {
      setTimeout(() => controller.abort(reason), 10)
      return { hang: true }
    }
    await expect(transport.send(read('GET', 'k'), { signal: controller.signal })).rejects.toBe(reason)
    expect(ended?.aborted).toBe(true)
  })

  it('rejects with the reason of a signal: while it waits after a 429', async () => {
    const controller = new AbortController()
    answer = () => {
      setTimeout(() => controller.abort('mine'), 20)
      return { status: 429, text: '', headers: { 'retry-after': '2' } }
    }
    await expect(open().send(read('GET', 'k'), { signal: controller.signal })).rejects.toBe('mine')
    expect(seen).toHaveLength(1)
  })

  it('refuses a call to a closed store', async () => {
    const store = upstashStore({ url, token: TOKEN })
    await store.close()
    await store.close()
    expect(await failed(store.get('k'))).toMatchObject({ code: 'CLOSED', maybeExecuted: false })
    expect(seen).toHaveLength(0)
  })
})

describe('the store', () => {
  it('sends one tick as one request, in call order, reads joined', async () => {
    answer = () => ({ body: [{ result: ['1', null] }, { result: 'OK' }, { result: '3' }] })
    const store = upstashStore({ url, token: TOKEN })
    const replies = await Promise.all([store.get('a'), store.get('b'), store.set('a', '3'), store.get('a')])
    expect(replies).toEqual(['1', undefined, undefined, '3'])
    expect(seen.map(({ path }) => path)).toEqual(['/pipeline'])
    expect(JSON.parse(String(seen[0]?.body))).toEqual([
      ['MGET', 'a', 'b'],
      ['SET', 'a', '3'],
      ['GET', 'a'],
    ])
  })

  it('sends a SET whose reply is lost once, and says it may have run', async () => {
    answer = () => ({ cut: true })
    const error = await failed(upstashStore({ url, token: TOKEN }).set('secret-key', 'secret-value'))
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: true })
    expect(seen).toHaveLength(1)
  })

  it('sends a read and a delete whose reply is lost again', async () => {
    answer = (_, n) => (n === 1 ? { cut: true } : { body: { result: 'v' } })
    expect(await upstashStore({ url, token: TOKEN }).get('k')).toBe('v')
    seen = []
    answer = (_, n) => (n === 1 ? { cut: true } : { body: { result: 1 } })
    expect(await upstashStore({ url, token: TOKEN }).delete(['k'])).toBe(1)
    expect(seen).toHaveLength(2)
  })
})

describe('over a client of @upstash/redis', () => {
  it('neither sends again nor parses, whatever the client would do', async () => {
    const client = new Redis({ url, token: TOKEN, enableTelemetry: false })
    const store = upstashStore({ client })
    answer = () => ({ body: { result: '123' } })
    expect(await store.get('k')).toBe('123')
    expect(seen[0]?.headers.authorization).toBe(`Bearer ${TOKEN}`)
    seen = []
    answer = () => ({ cut: true })
    expect(await failed(store.set('secret-key', 'secret-value'))).toMatchObject({ maybeExecuted: true })
    expect(seen).toHaveLength(1)
  })

  it('shares the sync token with the client, both ways', async () => {
    const client = new Redis({
      url,
      token: TOKEN,
      enableTelemetry: false,
      automaticDeserialization: false,
      enableAutoPipelining: false,
    })
    const store = upstashStore({ client })
    answer = (_, n) => ({ body: { result: null }, headers: { 'upstash-sync-token': `token-${n}` } })
    await client.get('k')
    await store.get('k')
    await client.get('k')
    expect(seen.map(({ headers }) => headers['upstash-sync-token'])).toEqual(['', 'token-1', 'token-2'])
    expect(store.syncToken).toBe(client.readYourWritesSyncToken)
  })

  it('asks a signal function once per request', async () => {
    const controller = new AbortController()
    const client = new Redis({ url, token: TOKEN, signal: () => controller.signal })
    answer = () => {
      setTimeout(() => controller.abort('mine'), 10)
      return { hang: true }
    }
    await expect(upstashStore({ client }).set('k', 'v')).rejects.toBe('mine')
  })
})
