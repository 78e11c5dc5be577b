import { Redis } from '@upstash/redis'
import { describe, expect, it, vi } from 'vitest'
import { fromEnv, type UpstashOptions, upstashStore, upstashTransport } from '../../adapters/upstash/index.ts'
import { HitherError } from '../../src/errors.ts'

// What is refused at construction. Nothing here reaches a network.

const url = 'https://name.upstash.io'
const token = 'a-secret-token'
const SECRETS = ['secret', 'hunter2']

function refusal(make: () => unknown): HitherError {
  try {
    make()
  } catch (error) {
    expect(error).toBeInstanceOf(HitherError)
    for (const secret of SECRETS) expect(`${(error as Error).message} ${JSON.stringify(error)}`).not.toContain(secret)
    expect((error as HitherError).cause).toBeUndefined()
    return error as HitherError
  }
  return expect.unreachable('it was accepted')
}
const refused = (options: UpstashOptions): HitherError => {
  const error = refusal(() => upstashStore(options))
  expect(refusal(() => upstashTransport(options)).code).toBe(error.code)
  return error
}

describe('url and token', () => {
  it('names the variable that is missing', () => {
    for (const none of [undefined, '']) {
      const noUrl = refused({ url: none, token })
      expect(noUrl.code).toBe('MISSING_CREDENTIALS')
      expect(noUrl.message).toContain('UPSTASH_REDIS_REST_URL')
      expect(noUrl.message).toContain('KV_REST_API_URL')
      const noToken = refused({ url, token: none })
      expect(noToken.code).toBe('MISSING_CREDENTIALS')
      expect(noToken.message).toContain('UPSTASH_REDIS_REST_TOKEN')
    }
    expect(refusal(() => upstashStore(undefined as unknown as UpstashOptions)).code).toBe('MISSING_CREDENTIALS')
  })

  it('reads the own names of its options alone', () => {
    Object.defineProperty(Object.prototype, 'timeoutMs', {
      value: -1,
      configurable: true,
      enumerable: true,
      writable: true,
    })
    try {
      expect(upstashStore({ url, token }).name).toBe('upstash')
    } finally {
      delete (Object.prototype as { timeoutMs?: number }).timeoutMs
    }
  })

  it('refuses a url that is none, or not of this protocol', () => {
    for (const bad of [
      'secret',
      'secret.upstash.io',
      'https://',
      'redis://h:6379',
      'rediss://u:hunter2@h',
      'https://u:hunter2@h',
      'https://hunter2@h',
      'https://h?_token=secret',
      'https://h/#secret',
      'ftp://h',
    ]) {
      expect(refused({ url: bad, token }).code, bad).toBe('INVALID_URL')
    }
  })

  it('takes the slashes off its end, however many stand elsewhere', async () => {
    const asked: string[] = []
    const fetch = async (to: string) => {
      asked.push(to)
      return new Response('{"result":"x"}')
    }
    const slashes = '/'.repeat(200_000)
    const startedAt = performance.now()
    for (const path of ['', '/', '///', '/a//', `/${slashes}b`, slashes]) {
      await upstashTransport({ url: url + path, token, fetch }).send({ args: ['GET', 'k'], effect: 'read' })
    }
    // Work that is quadratic in 200,000 slashes takes a minute.
    expect(performance.now() - startedAt).toBeLessThan(5000)
    expect(asked.map((to) => to.slice(url.length, url.length + 4))).toEqual(['/', '/', '/', '/a/', '////', '/'])
  })

  it('refuses http: to a host that is not loopback, unless allowed', () => {
    for (const host of [
      'h',
      '10.0.0.1',
      '127.0.0.1.evil.com',
      'localhost.evil.com',
      'evillocalhost',
      '0.0.0.0',
      '[::2]',
    ]) {
      expect(refused({ url: `http://${host}`, token }).code, host).toBe('INSECURE_URL')
      const said = { url: `http://${host}`, token, allowInsecure: 'false' as never }
      expect(refused(said).code, host).toBe('INSECURE_URL')
      expect(() => upstashStore({ url: `http://${host}`, token, allowInsecure: true })).not.toThrow()
    }
    for (const host of ['localhost', 'localhost:8079', 'redis.localhost', '127.0.0.1:80', '127.8.9.10', '[::1]:8079']) {
      expect(() => upstashStore({ url: `http://${host}`, token }), host).not.toThrow()
    }
  })

  it('refuses a token that no header can carry', () => {
    for (const bad of ['hunter2\n', ' hunter2', 'a hunter2', 'hunter2\r\nx: y', 'hunter2\0', 'hunter2é']) {
      expect(refused({ url, token: bad }).code).toBe('INVALID_ARGUMENT')
    }
  })

  it('refuses a timeout that is no number of milliseconds, and a sync token no header can carry', () => {
    for (const timeoutMs of [0, -1, Number.NaN, '5 apples' as unknown as number]) {
      expect(refused({ url, token, timeoutMs }).code).toBe('INVALID_DURATION')
    }
    expect(refused({ url, token, syncToken: 'a\nb' }).code).toBe('INVALID_ARGUMENT')
  })
})

describe('a request that got no reply', () => {
  /** The error of a write whose `fetch` rejects as that of Node does. */
  const failed = (cause: unknown): Promise<unknown> => {
    const fetch = () => Promise.reject(Object.assign(new TypeError('fetch failed'), { cause }))
    const transport = upstashTransport({ url, token, fetch })
    return transport.send({ args: ['INCR', 'a'], effect: 'once' }).catch((error: unknown) => error)
  }
  const message = (what: string): string => `${what}: check that the endpoint runs, and the url`

  it('did not run where no connection was made, or the certificate was refused, and names the code', async () => {
    const codes = ['ECONNREFUSED', 'CERT_HAS_EXPIRED', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE']
    for (const code of codes)
      expect(await failed({ code })).toMatchObject({
        message: message(`not connected (${code})`),
        maybeExecuted: false,
      })
  })
  it('may have run otherwise', async () => {
    const lost = { code: 'STORE_UNAVAILABLE', maybeExecuted: true }
    const code = 'ERR_SSL_WRONG_VERSION_NUMBER'
    const named = { ...lost, message: message(`no reply from the endpoint (${code})`) }
    expect(await failed({ code })).toMatchObject(named)
    expect(await failed(undefined)).toMatchObject({ ...lost, message: message('no reply from the endpoint') })
  })
})

describe('what is not sent any more', () => {
  const sent: string[] = []
  const fetch = async (input: RequestInfo | URL): Promise<Response> => {
    sent.push(String(input))
    return Response.json([{ result: 1 }])
  }
  const commands = [{ args: ['INCR', 'a'], effect: 'once' }] as const
  const transport = upstashTransport({ url, token, fetch })

  it('past the deadline of a call', async () => {
    const late = { deadline: Date.now() - 1 }
    const unsent = { code: 'TIMEOUT', maybeExecuted: false }
    await expect(transport.transaction(commands, late)).rejects.toMatchObject(unsent)
    await expect(transport.sendMany(commands, late)).rejects.toMatchObject(unsent)
    await expect(transport.send(commands[0], late)).rejects.toMatchObject(unsent)
    await expect(transport.transaction(commands, { deadline: Number.NaN })).rejects.toMatchObject(unsent)
    expect(sent).toEqual([])
  })
  it('after close', async () => {
    await transport.close()
    const closed = { code: 'CLOSED', maybeExecuted: false }
    await expect(transport.transaction(commands)).rejects.toMatchObject(closed)
    await expect(transport.send(commands[0])).rejects.toMatchObject(closed)
    await expect(transport.events?.('a', new AbortController().signal)).rejects.toMatchObject(closed)
    expect(sent).toEqual([])
  })
})

describe('close', () => {
  it('ends the requests under way, and what is left of them is no timer', async () => {
    const signals: AbortSignal[] = []
    const fetch = (_: string, { signal }: RequestInit) =>
      new Promise<Response>((_, reject) => {
        signals.push(signal as AbortSignal)
        signal?.addEventListener('abort', () => reject(signal.reason))
      })
    const transport = upstashTransport({ url, token, fetch })
    const get = transport.send({ args: ['GET', 'k'], effect: 'read' })
    await transport.close()
    await expect(get).rejects.toMatchObject({ code: 'CLOSED' })
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
    const store = upstashStore({ url, token, fetch })
    const read = store.get('k').catch((error) => error)
    await Promise.resolve()
    await Promise.resolve()
    await store.close()
    expect(await read).toMatchObject({ code: 'CLOSED' })
    expect(signals.every(({ aborted }) => aborted)).toBe(true)
  })
})

describe('what Next does with a request', () => {
  it('is told by the option cache, no-store without it', async () => {
    const asked: unknown[] = []
    const fetch = async (_: string, init: RequestInit) => {
      asked.push(init.cache)
      return new Response('{"result":"x"}')
    }
    const get = { args: ['GET', 'k'], effect: 'read' } as const
    await upstashTransport({ url, token, fetch }).send(get)
    await upstashTransport({ url, token, fetch, cache: 'default' }).send(get)
    await upstashStore({ url, token, fetch, cache: 'default' }).get('k')
    const env = { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token }
    await fromEnv(env, { fetch, cache: 'default' }).get('k')
    // Not every runtime has `Request.prototype.cache`.
    if ('cache' in Request.prototype) expect(asked).toEqual(['no-store', 'default', 'default', 'default'])
    else expect(asked).toEqual([undefined, undefined, undefined, undefined])
  })
})

describe('fromEnv', () => {
  it('reads the names behind a prefix, and none without it', async () => {
    const asked: string[] = []
    const fetch = async (to: string, init: RequestInit) => {
      asked.push(`${to} ${(init.headers as Record<string, string>).authorization}`)
      return new Response('{"result":"x"}')
    }
    const own = { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token }
    const env = {
      ...own,
      CART_KV_REST_API_URL: 'https://cart.example',
      CART_KV_REST_API_TOKEN: 't1',
      USERS_UPSTASH_REDIS_REST_URL: 'https://users.example',
      USERS_UPSTASH_REDIS_REST_TOKEN: 't2',
    }
    for (const prefix of ['CART', 'CART_', 'USERS', '']) await fromEnv(env, { prefix, fetch }).get('k')
    const cart = 'https://cart.example/ Bearer t1'
    expect(asked).toEqual([cart, cart, 'https://users.example/ Bearer t2', `${url}/ Bearer ${token}`])
    const missing = refusal(() => fromEnv(own, { prefix: 'CART' }))
    expect(missing.code).toBe('MISSING_CREDENTIALS')
    expect(missing.message).toContain('CART_KV_REST_API_URL')
  })

  /** The url and the token of the first request of a store that is made from `env`. */
  const target = async (env: object): Promise<[string, string]> => {
    const seen: [string, string][] = []
    const store = fromEnv(env, {
      fetch: async (to, init) => {
        seen.push([to, (init.headers as Record<string, string>).authorization ?? ''])
        return Response.json({ result: null })
      },
    })
    await store.get('k')
    return seen[0] as [string, string]
  }

  it('reads either pair, the first by preference', async () => {
    const upstash = { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token }
    const kv = { KV_REST_API_URL: 'https://kv.upstash.io', KV_REST_API_TOKEN: 'other' }
    expect(await target(upstash)).toEqual([`${url}/`, `Bearer ${token}`])
    expect(await target(kv)).toEqual(['https://kv.upstash.io/', 'Bearer other'])
    expect(await target({ ...kv, ...upstash })).toEqual(await target(upstash))
    expect(await target({ ...kv, UPSTASH_REDIS_REST_URL: '', UPSTASH_REDIS_REST_TOKEN: '' })).toEqual(await target(kv))
  })

  it('never joins a url of one pair with a token of the other', () => {
    const mixed = { UPSTASH_REDIS_REST_URL: url, KV_REST_API_TOKEN: token }
    expect(refusal(() => fromEnv(mixed)).code).toBe('MISSING_CREDENTIALS')
  })

  it('finds nothing in an empty environment, one without strings, or none', () => {
    for (const env of [{}, undefined, { UPSTASH_REDIS_REST_URL: {}, UPSTASH_REDIS_REST_TOKEN: 1 }]) {
      expect(refusal(() => fromEnv(env)).code).toBe('MISSING_CREDENTIALS')
    }
  })
})

describe('a client of @upstash/redis', () => {
  it('is taken with its default settings, and with any of those that do not touch the store', () => {
    for (const options of [
      {},
      { retry: false as const },
      { retry: { retries: 3 } },
      { automaticDeserialization: true },
      { responseEncoding: false as const },
      { enableAutoPipelining: false },
      { readYourWrites: false },
      { signal: () => AbortSignal.timeout(1000) },
    ]) {
      expect(upstashStore({ client: new Redis({ url, token, ...options }) }).name).toBe('upstash')
    }
  })

  it('is read in a version that has no sync token', () => {
    const client = { createScript: () => ({}), client: { baseUrl: url, headers: { authorization: `Bearer ${token}` } } }
    expect(upstashStore({ client }).syncToken).toBe('')
  })

  it('is refused, by the name of the setting, with one that cannot be made safe', () => {
    const make = (options: object): HitherError => refused({ client: new Redis({ url, token, ...options }) })
    const signal = make({ signal: new AbortController().signal })
    expect(signal.code).toBe('UNSAFE_CLIENT')
    expect(signal.message).toContain('`signal`')
    expect(make({ agent: {} })).toMatchObject({ code: 'UNSAFE_CLIENT', message: expect.stringContaining('`agent`') })

    const wrapped = new Redis({ url, token, enableAutoPipelining: false })
    wrapped.use((request, next) => next(request))
    expect(refused({ client: wrapped })).toMatchObject({
      code: 'UNSAFE_CLIENT',
      message: expect.stringContaining('`use()`'),
    })

    const own = new Redis({ request: async () => ({ result: undefined }) } as never)
    expect(refused({ client: own })).toMatchObject({
      code: 'UNSAFE_CLIENT',
      message: expect.stringContaining('{ url, token'),
    })
    for (const other of [{}, { client: {} }, { client: { baseUrl: url } }]) {
      expect(refused({ client: other as never }).code).toBe('UNSAFE_CLIENT')
    }
  })

  it('is refused without credentials, or over http: to the network', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    expect(refused({ client: new Redis({ url, token: undefined }) }).code).toBe('MISSING_CREDENTIALS')
    expect(refused({ client: new Redis({ url: undefined, token }) }).code).toBe('MISSING_CREDENTIALS')
    warn.mockRestore()
    expect(refused({ client: new Redis({ url: 'http://10.0.0.1', token }) }).code).toBe('INSECURE_URL')
  })
})

describe('a response without an end', () => {
  const MOST = 10_000
  /** A stream of `size` bytes of a reply in parts of 1,000. `state.read` counts the bytes that were read. */
  const endless = (size: number, headers: Record<string, string> = {}, status = 200) => {
    const state = { read: 0, cancelled: false }
    const fetch = async () => {
      const body = new ReadableStream<Uint8Array>(
        {
          pull(stream) {
            if (state.read >= size) return stream.close()
            stream.enqueue(new TextEncoder().encode('x'.repeat(1000)))
            state.read += 1000
          },
          cancel() {
            state.cancelled = true
          },
        },
        { highWaterMark: 0 },
      )
      return new Response(body, { status, headers })
    }
    return { state, options: { url, token, fetch, maxCallBytes: MOST } }
  }
  const rejection = async (work: Promise<unknown>): Promise<HitherError> =>
    work.then(
      () => expect.unreachable('it was kept'),
      (error: HitherError) => error,
    )

  it.each([200, 400])('is cancelled past its bound, of status %i, and its callers are told', async (status) => {
    const { state, options } = endless(1e6, {}, status)
    const store = upstashStore(options)
    const all = await Promise.all([store.get('a'), store.set('b', '1'), store.getMany(['c', 'd'])].map(rejection))
    for (const { code, message, maybeExecuted } of all)
      expect([code, message.includes('TOOLARGE'), maybeExecuted]).toEqual(['STORE_REJECTED', true, true])
    expect(state.cancelled).toBe(true)
    expect(state.read).toBe(MOST + 1000)
  })
  it('is not read at all where its length says so', async () => {
    const { state, options } = endless(1e6, { 'content-length': '1000000' })
    const send = upstashTransport(options).send({ args: ['GET', 'k'], effect: 'read' })
    expect(await send).toMatchObject({ word: 'TOOLARGE' })
    expect(state).toEqual({ read: 0, cancelled: true })
  })
  it('is bounded where its length lies, and over a transaction', async () => {
    const { state, options } = endless(1e6, { 'content-length': '10' })
    const commands = [{ args: ['GET', 'k'], effect: 'read' }] as const
    expect(await rejection(upstashTransport(options).transaction(commands))).toMatchObject({ code: 'STORE_REJECTED' })
    expect(state).toEqual({ read: MOST + 1000, cancelled: true })
  })
  it.each([
    [401, 'UNAUTHORIZED'],
    [503, 'STORE_UNAVAILABLE'],
    [302, 'BAD_REPLY'],
  ])('of status %i is %s, and bounded', async (status, code) => {
    const { state, options } = endless(1e6, {}, status)
    expect(await rejection(upstashTransport(options).send({ args: ['GET', 'k'], effect: 'read' }))).toMatchObject({
      code,
    })
    expect(state).toEqual({ read: MOST + 1000, cancelled: true })
  })
  it('is taken up to the bound, whatever its parts cut', async () => {
    const reply = new TextEncoder().encode(JSON.stringify({ result: 'é€😀'.repeat(1000) }))
    const parts = (size: number) => {
      let at = 0
      return new ReadableStream<Uint8Array>({
        pull(stream) {
          if (at >= reply.length) return stream.close()
          stream.enqueue(reply.slice(at, at + size))
          at += size
        },
      })
    }
    for (const size of [1, 7, 1000, 1e6]) {
      const fetch = async () => new Response(parts(size))
      const get = (maxCallBytes: number) => upstashStore({ url, token, fetch, maxCallBytes }).get('k')
      expect(await get(reply.length)).toBe('é€😀'.repeat(1000))
      expect((await rejection(get(reply.length - 1))).code).toBe('STORE_REJECTED')
    }
  })
  it('has a bound that is a number of bytes', () => {
    for (const maxCallBytes of [0, -1, Number.NaN, 'x' as never])
      expect(refused({ url, token, maxCallBytes }).code).toBe('INVALID_ARGUMENT')
  })
})
