import { createServer, type Server, type Socket } from 'node:net'
import { type NatsConnection, wsconnect } from '@nats-io/nats-core'
import { describe, expect, it, vi } from 'vitest'
import { openBucket } from '../../../adapters/nats/bucket.ts'
import { natsStore } from '../../../adapters/nats/index.ts'
import { decodeKey, encodeKey, glob } from '../../../adapters/nats/keys.ts'
import { checkOptions } from '../../../adapters/nats/options.ts'
import { createRequests, unavailable } from '../../../adapters/nats/requests.ts'
import { createSubscriptions } from '../../../adapters/nats/subscriptions.ts'
import { createTurns } from '../../../adapters/nats/turns.ts'

/** A fake connection. Each published request waits for the test to answer it. */
function played() {
  const published: { subject: string; reply: string }[] = []
  let callback: (error: unknown, message: object) => void = () => {}
  let tell: (status: object | undefined) => void = () => {}
  let next = new Promise<object | undefined>((resolve) => {
    tell = resolve
  })
  const connection = {
    subscribe(_: string, options: { callback: typeof callback }) {
      callback = options.callback
      return { unsubscribe() {} }
    },
    publish: (subject: string, _: unknown, { reply = '' }: { reply?: string } = {}) =>
      void published.push({ subject, reply }),
    isClosed: () => false,
    flush: () => flush,
    async *status() {
      for (;;) {
        const status = await next
        next = new Promise((resolve) => {
          tell = resolve
        })
        if (!status) return
        yield status
      }
    },
  } as unknown as NatsConnection
  let gone = 0
  let flush: Promise<void> = new Promise(() => {})
  return {
    connection,
    flush(outcome: Promise<void>) {
      flush = outcome
    },
    refuse: (error: unknown) => callback(error, {}),
    requests: createRequests(connection, '_INBOX.x', () => gone++),
    published,
    gone: () => gone,
    async status(status: object | undefined) {
      tell(status)
      await new Promise((resolve) => setTimeout(resolve, 1))
    },
    answer: (reply: string, message: object = {}) => callback(null, { subject: reply, ...message }),
  }
}
const limits = (ms = 5000) => ({ deadline: Date.now() + ms, signal: undefined })
const write = { subject: 's', payload: '', writes: true }
const read = { ...write, writes: false }

describe('a request', () => {
  it('gets the reply with its own number, and no other', async () => {
    const { requests, published, answer } = played()
    const first = requests.ask(read, limits())
    const second = requests.ask(read, limits())
    answer('_INBOX.x.none')
    answer(published[1]?.reply as string, { data: 2 })
    answer(published[0]?.reply as string, { data: 1 })
    expect(await first).toMatchObject({ data: 1 })
    expect(await second).toMatchObject({ data: 2 })
  })
  it('that nobody answers is unavailable, and has the bucket opened anew', async () => {
    const { requests, published, answer, gone } = played()
    const asked = requests.ask(write, limits())
    answer(published[0]?.reply as string, { headers: { code: 503 } })
    await expect(asked).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: false })
    expect(gone()).toBe(1)
  })
  it('ends at its deadline, though the clock was set back meanwhile', async () => {
    const { requests } = played()
    const late = requests.ask(read, limits(50))
    const realNow = Date.now.bind(Date)
    vi.spyOn(Date, 'now').mockImplementation(() => realNow() - 3_600_000)
    await expect(late).rejects.toMatchObject({ code: 'TIMEOUT' })
    vi.restoreAllMocks()
  })
  it('does so also while others are sent all the time', async () => {
    const { requests } = played()
    const late = requests.ask(read, limits(100))
    const realNow = Date.now.bind(Date)
    vi.spyOn(Date, 'now').mockImplementation(() => realNow() - 3_600_000)
    const others: Promise<unknown>[] = []
    const sending = setInterval(
      () => others.push(expect(requests.ask(read, limits(50))).rejects.toMatchObject({ code: 'TIMEOUT' })),
      10,
    )
    await expect(late).rejects.toMatchObject({ code: 'TIMEOUT' })
    clearInterval(sending)
    await Promise.all(others)
    vi.restoreAllMocks()
  })
  it('is settled when the connection ends, and says of a write that it may have run', async () => {
    const { requests, status } = played()
    const asked = Promise.allSettled([requests.ask(write, limits()), requests.ask(read, limits())])
    await status({ type: 'disconnect' })
    expect(await asked).toMatchObject([
      { reason: { code: 'STORE_UNAVAILABLE', maybeExecuted: true } },
      { reason: { code: 'STORE_UNAVAILABLE', maybeExecuted: false } },
    ])
  })
  it('is not kept for a server that is away', async () => {
    const { requests, published, status } = played()
    await status({ type: 'disconnect' })
    await expect(requests.ask(write, limits())).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      maybeExecuted: false,
    })
    expect(published).toEqual([])
    await status({ type: 'reconnect' })
    requests.ask(write, limits(20)).catch(() => {})
    expect(published.length).toBe(1)
  })
  it('ends at its deadline and by its signal', async () => {
    const { requests } = played()
    await expect(requests.ask(write, limits(20))).rejects.toMatchObject({ code: 'TIMEOUT', maybeExecuted: true })
    await expect(requests.ask(write, limits(-1))).rejects.toMatchObject({ code: 'TIMEOUT', maybeExecuted: false })
    const abort = new AbortController()
    const asked = requests.ask(write, { ...limits(), signal: abort.signal })
    const reason = new Error('left')
    abort.abort(reason)
    await expect(asked).rejects.toBe(reason)
  })
})

describe('a bucket', () => {
  it('that the server does not create is refused with its reason', async () => {
    const absent = { error: { code: 404, err_code: 10_059, description: 'stream not found' } }
    const all = [absent, { error: { code: 500, err_code: 10_074, description: 'replicas not supported' } }, absent]
    const requests = { ask: async () => ({ json: () => all.shift() }) }
    const parts = { connection: { info: { version: '2.11.0' } }, requests, headers: () => new Map() } as never
    const opened = openBucket(checkOptions({ servers: 'nats://127.0.0.1', bucket: 'b', replicas: 3 }), parts, limits())
    await expect(opened).rejects.toMatchObject({
      code: 'STORE_REJECTED',
      message: expect.stringContaining('replicas not supported'),
    })
  })
  /** Its replies but the first, which says that it is there. */
  const over = async (...replies: object[]) => {
    const all = [{ config: { allow_msg_ttl: true, max_msgs_per_subject: 1 } }, ...replies]
    const requests = {
      ask: async () => ({ json: () => all.shift() }),
      gone: () => unavailable('gone'),
    }
    const connection = { info: { version: '2.11.0' } }
    const parts = { connection, requests, headers: () => new Map() } as never
    return openBucket(checkOptions({ servers: 'nats://127.0.0.1', bucket: 'b' }), parts, limits())
  }
  const error = (err_code: number) => ({ error: { err_code, code: 503, description: 'some reason' } })
  it('without a leader is down, and refuses nothing', async () => {
    const down = { code: 'STORE_UNAVAILABLE', retryable: true }
    await expect((await over(error(10_008))).read('k', limits())).rejects.toMatchObject(down)
    await expect((await over(error(10_008))).write('k', 'v', {}, limits())).rejects.toMatchObject(down)
    await expect((await over(error(10_023))).read('k', limits())).rejects.toMatchObject({ code: 'STORE_REJECTED' })
  })
  it('says of a write or delete that another was faster, also while replicas are still to confirm that one', async () => {
    for (const code of [10_071, 10_164]) {
      expect(await (await over(error(code))).write('k', 'v', { revision: 1 }, limits())).toBe(false)
      expect(await (await over(error(code))).write('k', undefined, { revision: 1 }, limits())).toBe(false)
    }
    const refused = (await over(error(10_077))).write('k', 'v', { revision: 1 }, limits())
    await expect(refused).rejects.toMatchObject({ code: 'STORE_REJECTED' })
  })
  it('says of a value that it is larger than its bound', async () => {
    const bucket = await over(error(10_054))
    await expect(bucket.write('k', 'v', {}, limits())).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' })
  })
  it('that is gone is gone for those who list its keys, too', async () => {
    const names = (await over(error(10_059))).names(limits())
    await expect(names[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  })
})

describe('what the client does not send', () => {
  const over = (message: string) => {
    const { connection, requests } = played()
    connection.publish = () => {
      throw new Error(message)
    }
    return requests
  }
  it('is too large, where that is why', async () => {
    const requests = over("'payload' max_payload size exceeded")
    await expect(requests.ask(write, limits())).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE', maybeExecuted: false })
    await expect(requests.publish('s', '', limits())).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' })
  })
  it('is an outage for any other reason', async () => {
    const requests = over('closed')
    await expect(requests.ask(write, limits())).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await expect(requests.publish('s', '', limits())).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  })
})

describe('a message', () => {
  it('is not kept for a server that is away', async () => {
    const { requests, published, status } = played()
    await status({ type: 'disconnect' })
    await expect(requests.publish('s', '', limits())).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(published).toEqual([])
  })
  it('is published once the server has it, and may have been where it does not say so', async () => {
    const { requests, flush, published } = played()
    await expect(requests.publish('s', '', limits(20))).rejects.toMatchObject({ code: 'TIMEOUT', maybeExecuted: true })
    flush(Promise.reject(new Error('connection disconnected')))
    const lost = { code: 'STORE_UNAVAILABLE', retryable: true, maybeExecuted: true }
    await expect(requests.publish('s', '', limits())).rejects.toMatchObject(lost)
    flush(Promise.resolve())
    await requests.publish('s', '', limits())
    expect(published.map(({ subject }) => subject)).toEqual(['s', 's', 's'])
  })
})

describe('a subscription', () => {
  const open = (connection: NatsConnection, gaps: string[] = []) =>
    createSubscriptions(async () => connection).add(connection, 's', {
      onMessage() {},
      onGap: () => void gaps.push('gap'),
      limits: limits(100),
    })
  it('that the server does not confirm rejects in time, and hears of no gap any more', async () => {
    const { connection, flush, status } = played()
    const gaps: string[] = []
    await expect(open(connection, gaps)).rejects.toMatchObject({ code: 'TIMEOUT', maybeExecuted: false })
    await status({ type: 'disconnect' })
    expect(gaps).toEqual([])
    flush(Promise.reject(new Error('connection disconnected')))
    await expect(open(connection)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: false })
  })
  it('that the server refuses is not ready', async () => {
    const { connection, flush, refuse } = played()
    flush(new Promise((resolve) => setTimeout(resolve, 10)))
    const opened = open(connection)
    refuse(new Error('Permissions Violation for Publish to "$KV.shop.secret.key"'))
    await expect(opened).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: 'NATS: the user lacks a right on $KV.shop',
    })
  })
  it('goes on over the next connection, if the client closes the first of itself', async () => {
    const [first, second] = [played(), played()]
    for (const { flush } of [first, second]) flush(Promise.resolve())
    const subscribed = vi.spyOn(second.connection, 'subscribe')
    const tries = [() => Promise.reject(unavailable('not connected')), async () => second.connection]
    const subscriptions = createSubscriptions(() => (tries.shift() as () => Promise<NatsConnection>)())
    const heard: string[] = []
    const listener = { onMessage: (text: string) => heard.push(text), onGap: () => heard.push('gap'), limits: limits() }
    await subscriptions.add(first.connection, 's', listener)
    await first.status(undefined)
    expect(heard).toEqual(['gap'])
    // A call has opened the next connection meanwhile.
    const end = await subscriptions.add(second.connection, 'other', listener)
    await expect
      .poll(() => subscribed.mock.calls.map(([subject]) => subject), { timeout: 20_000 })
      .toEqual(['other', 's'])
    await end()
    second.answer('s', { string: () => 'two' })
    expect(heard).toEqual(['gap', 'gap', 'gap', 'two'])
    subscriptions.close()
  })
  it('ends with a connection that was passed to the store', async () => {
    const { connection, flush, status } = played()
    flush(Promise.resolve())
    const gaps: string[] = []
    let opened = 0
    const closed = { ...connection, isClosed: () => true } as NatsConnection
    const subscriptions = createSubscriptions(async () => {
      opened++
      return closed
    })
    const subscribed = vi.spyOn(closed, 'subscribe')
    await subscriptions.add(connection, 's', { onMessage() {}, onGap: () => void gaps.push('gap'), limits: limits() })
    await status(undefined)
    await expect.poll(() => opened, { timeout: 20_000 }).toBe(1)
    expect([gaps, subscribed.mock.calls]).toEqual([['gap'], []])
    subscriptions.close()
  })
})

describe('calls on one key', () => {
  it('act in call order: a write after all before it, reads side by side', async () => {
    const turns = createTurns()
    const log: string[] = []
    const limit = { deadline: Date.now() + 5000, signals: [] }
    const call = (name: string, writes: boolean, ms: number) =>
      turns.run('k', writes, limit, async () => {
        log.push(`${name} begins`)
        await new Promise((resolve) => setTimeout(resolve, ms))
        log.push(`${name} ends`)
      })
    await Promise.all([call('r1', false, 20), call('r2', false, 1), call('w', true, 5), call('r3', false, 1)])
    expect(log).toEqual(['r1 begins', 'r2 begins', 'r2 ends', 'r1 ends', 'w begins', 'w ends', 'r3 begins', 'r3 ends'])
  })
})

describe('a key', () => {
  it('of any text is a subject, another one for each, and comes back', () => {
    const keys = [
      'a',
      'a.b',
      '.a',
      'a.',
      'a..b',
      ' ',
      '*',
      '>',
      '=41',
      'A',
      'é馬',
      '/a',
      '\0',
      '\r\n',
      'a:b',
      '..',
      '.',
    ]
    const names = keys.map(encodeKey)
    expect(new Set(names).size).toBe(keys.length)
    for (const [i, name] of names.entries()) {
      expect(name).toMatch(/^[\w/=-]+(\.[\w/=-]+)*$/)
      expect(decodeKey(name)).toBe(keys[i])
    }
  })
  it('is matched by a pattern as Redis has them', () => {
    expect(glob('a.?').test('a.b')).toBe(true)
    expect(glob('a.?').test('axb')).toBe(false)
    expect(glob('[ab]*').test('b\n1')).toBe(true)
    expect(glob('\\*').test('x')).toBe(false)
  })
})

describe('an option', () => {
  const good = { servers: 'nats://127.0.0.1:4222', bucket: 'b' }
  it.each([
    [{ ...good, bucket: 'a b' }, 'INVALID_KEY'],
    [{ ...good, bucket: 'a.b>' }, 'INVALID_KEY'],
    [{ ...good, servers: 'http://x' }, 'INVALID_URL'],
    [{ ...good, servers: ['ws://a', 'nats://b'] }, 'INVALID_URL'],
    [{ ...good, servers: [] }, 'INVALID_ARGUMENT'],
    [{ ...good, replicas: 6 }, 'INVALID_ARGUMENT'],
    [{ ...good, maxKeyBytes: 1201 }, 'INVALID_ARGUMENT'],
    [{ ...good, timeoutMs: 0.5 }, 'INVALID_ARGUMENT'],
    [{ ...good, storage: 'disk' }, 'INVALID_ARGUMENT'],
    [{ ...good, reads: 'some' }, 'INVALID_ARGUMENT'],
    [{ ...good, buckets: 1 }, 'INVALID_ARGUMENT'],
    [{ bucket: 'b', connection: Promise.resolve() }, 'INVALID_ARGUMENT'],
    [{ ...good, servers: 4222 }, 'INVALID_ARGUMENT'],
    [{ ...good, servers: [null] }, 'INVALID_URL'],
    [{ ...good, servers: 'nats://' }, 'INVALID_URL'],
    [{ ...good, servers: 'nats://127.0.0.1:99999' }, 'INVALID_URL'],
    [{ ...good, servers: 'nats://127.0.0.1/bucket' }, 'INVALID_URL'],
    [{ ...good, servers: 'ws://[' }, 'INVALID_URL'],
    // The client would silently leave out the password.
    [{ ...good, servers: 'nats://user:password@127.0.0.1' }, 'INVALID_URL'],
    [{ ...good, servers: ['127.0.0.1:4222', 'token@127.0.0.1'] }, 'INVALID_URL'],
    [{ ...good, connect: 5 }, 'INVALID_ARGUMENT'],
    [{ ...good, servers: 'wss://localhost', connect: { tls: { ca: 'x' } } }, 'INVALID_ARGUMENT'],
    [{ ...good, connect: null }, 'INVALID_ARGUMENT'],
    [{ bucket: 'b', connection: { publish() {} }, connect: { user: 'u' } }, 'INVALID_ARGUMENT'],
  ])('that means nothing is refused: %j', (options, code) => {
    expect(() => checkOptions(options as never)).toThrow(expect.objectContaining({ code }))
  })
  it.each(['127.0.0.1', 'NATS://h', 'host:4222', '[::1]:4222', 'nats://h', 'tls://h:1', 'ws://h/path', 'wss://h:443'])(
    'takes %s as a server',
    (servers) => {
      expect(checkOptions({ ...good, servers }).servers).toEqual([servers])
    },
  )
})

describe('a connection over TCP', () => {
  it('is opened again over TCP, though the last connect of the process was one over WebSocket', async () => {
    const heard: string[] = []
    const sockets: Socket[] = []
    const server: Server = createServer((socket) => {
      sockets.push(socket)
      const at = heard.push('') - 1
      const info = { server_id: 'S', version: '2.15.0', max_payload: 1024, headers: true, proto: 1 }
      socket.on('error', () => {}).write(`INFO ${JSON.stringify(info)}\r\n`)
      socket.on('data', (data) => {
        heard[at] += data.toString('latin1')
        if (data.includes('PING')) socket.write('PONG\r\n')
      })
    })
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { readonly port: number }
    const store = natsStore({ servers: `nats://127.0.0.1:${port}`, bucket: 'b' })
    const asked = store.get('k').catch(() => {})
    await expect.poll(() => heard[0], { timeout: 10_000 }).toContain('STREAM.INFO')
    await wsconnect({ servers: 'ws://127.0.0.1:1', maxReconnectAttempts: 0 }).catch(() => {})
    sockets[0]?.destroy()
    await expect.poll(() => heard[1], { timeout: 10_000 }).toMatch(/^(CONNECT|GET)/)
    expect(heard[1]).toMatch(/^CONNECT/)
    await Promise.all([store.close(), asked])
    for (const socket of sockets) socket.destroy()
    server.close()
  }, 30_000)
})
