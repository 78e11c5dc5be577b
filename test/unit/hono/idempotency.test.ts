import { type AtomicStore, HitherError } from 'hither'
import { type IdempotencyOptions, idempotency } from 'hither/hono'
import { createIdempotency } from 'hither/idempotency'
import { memoryStore } from 'hither/memory'
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import { every } from 'hono/combine'
import { HTTPException } from 'hono/http-exception'
import { describe, expect, it } from 'vitest'

/** An application that counts how often its handlers run. */
function appWith(options: Partial<IdempotencyOptions> = {}, store: AtomicStore = memoryStore()) {
  const runs = { count: 0 }
  const errors: unknown[] = []
  let gate: Promise<unknown> | undefined
  const app = new Hono()
    .use(
      idempotency({
        idempotency: createIdempotency({ store, wait: 0 }),
        scope: (c) => c.req.header('x-user') ?? 'guest',
        ...options,
      }),
    )
    .all('/pay', async (c) => {
      runs.count++
      await gate
      return c.json({ run: runs.count, got: await c.req.text() }, 201, {
        'X-Run': `${runs.count}`,
        'Set-Cookie': 'a=b',
      })
    })
    .post('/status/:status', (c) => {
      runs.count++
      return c.text(`run ${runs.count}`, Number(c.req.param('status')) as 200)
    })
    .post('/throw/:status', (c) => {
      runs.count++
      throw new HTTPException(Number(c.req.param('status')) as 400, { message: `run ${runs.count}` })
    })
    .post('/sent', () => {
      runs.count++
      return new Response(null, { headers: { 'x-hono-already-sent': 'true' } })
    })
    .post('/error', () => {
      runs.count++
      return Response.error()
    })
    .post('/redirect', () => {
      runs.count++
      return Response.redirect('https://x.example/paid', 303)
    })
    .post('/empty', (c) => {
      runs.count++
      return c.body(null, 204)
    })
    .post('/bytes', (c) => {
      runs.count++
      return c.body(new Uint8Array([0xff, 0, 0xfe, runs.count]), 200, { 'Content-Type': 'image/x' })
    })
    .post('/size/:size', (c) => {
      runs.count++
      return c.body('x'.repeat(Number(c.req.param('size'))))
    })
    .post('/events', (c) => {
      runs.count++
      const endless = new ReadableStream({
        pull: (controller) => controller.enqueue(new TextEncoder().encode('data: x\n\n')),
      })
      return c.body(endless, 200, { 'Content-Type': 'text/event-stream' })
    })
    .onError((error, c) => {
      errors.push(error)
      if (error instanceof HTTPException) return error.getResponse()
      return c.text(error instanceof HitherError ? error.code : String(error), 500)
    })
  const send = async (path = '/pay', headers: Record<string, string> = {}, init: RequestInit = {}): Promise<Response> =>
    app.request(path, { method: 'POST', body: 'x', ...init, headers: { 'Idempotency-Key': '"k"', ...headers } })
  const hold = (): (() => void) => {
    let open = (): void => {}
    gate = new Promise<void>((resolve) => {
      open = resolve
    })
    return () => {
      gate = undefined
      open()
    }
  }
  return { app, runs, errors, send, hold }
}
const told = async (response: Response): Promise<[number, string, string | null]> => [
  response.status,
  await response.text(),
  response.headers.get('Idempotency-Replayed'),
]

describe('the middleware idempotency', () => {
  it('carries out a request once, and sends its response again', async () => {
    const { runs, send } = appWith()
    const first = await send()
    expect([first.headers.get('X-Run'), first.headers.get('Set-Cookie')]).toEqual(['1', 'a=b'])
    expect(await told(first)).toEqual([201, '{"run":1,"got":"x"}', null])
    const again = await send()
    expect([again.headers.get('X-Run'), again.headers.get('Set-Cookie')]).toEqual(['1', null])
    expect(again.headers.get('Content-Type')).toBe('application/json')
    expect(await told(again)).toEqual([201, '{"run":1,"got":"x"}', 'true'])
    expect(runs.count).toBe(1)
  })
  it.each([
    ['in front', 504],
    ['in front', 408],
    ['behind', 504],
    ['behind', 408],
    ['combined', 504],
  ] as const)('keeps the key of a handler that a timeout() %s gives up on: %i', async (place, status) => {
    let runs = 0
    let giveUp = (): void => {}
    let finish = (): void => {}
    let inner: Promise<unknown> | undefined
    const timeout: MiddlewareHandler = async (_c, next) => {
      const late = new Promise<void>((_, reject) => {
        giveUp = () => reject(new HTTPException(status))
      })
      inner ??= next()
      await Promise.race([inner, late])
    }
    const guard = idempotency({
      idempotency: createIdempotency({ store: memoryStore(), wait: 0 }),
      scope: () => 'guest',
    })
    const app = new Hono()
      .use(...{ 'in front': [timeout, guard], behind: [guard, timeout], combined: [every(guard, timeout)] }[place])
      .post('/pay', async (c) => {
        const finished = new Promise<void>((resolve) => {
          finish = resolve
        })
        if (runs++ === 0) giveUp()
        await finished
        return c.text('paid', 201)
      })
    const send = () => app.request('/pay', { method: 'POST', headers: { 'Idempotency-Key': '"k"' }, body: 'x' })
    expect((await send()).status).toBe(status)
    finish()
    await inner
    inner = undefined
    expect([(await send()).status, runs]).toEqual([409, 1])
  })
  it('acts once for a scope where a request passes it several times', async () => {
    const store = memoryStore()
    let runs = 0
    const scope = (c: Context): string => c.req.header('x-user') ?? 'guest'
    const guard = (of = scope): MiddlewareHandler =>
      idempotency({ idempotency: createIdempotency({ store, wait: 0 }), scope: of })
    const app = new Hono()
      .use(guard())
      .use(guard())
      .use(guard(() => 'tenant'))
      .post('/pay', guard(), (c) => c.text(`run ${++runs}`))
    const send = async (user: string): Promise<Response> =>
      app.request('/pay', { method: 'POST', headers: { 'Idempotency-Key': 'k', 'x-user': user } })
    expect(await told(await send('a'))).toEqual([200, 'run 1', null])
    expect(await told(await send('a'))).toEqual([200, 'run 1', 'true'])
    // Another user, of the same tenant.
    expect(await told(await send('b'))).toEqual([200, 'run 1', 'true'])
    expect(runs).toBe(1)
  })
  it('takes a key in quotes and a bare one for the same, and no key that is none', async () => {
    const { runs, send } = appWith()
    for (const key of ['"k"', 'k', ' k ', '"k";a=1', ' "k" '])
      expect([key, (await send('/pay', { 'Idempotency-Key': key })).status]).toEqual([key, 201])
    expect(runs.count).toBe(1)
    for (const key of [
      '',
      '""',
      '"k',
      'k"',
      'a b',
      'a,b',
      '"a", "b"',
      '"a\\b"',
      'x'.repeat(256),
      `"${'x'.repeat(256)}"`,
    ]) {
      const response = await send('/pay', { 'Idempotency-Key': key })
      expect([key, response.status, response.headers.get('Content-Type')]).toEqual([
        key,
        400,
        'application/problem+json',
      ])
      expect(await response.json()).toMatchObject({ title: 'Idempotency-Key is malformed', status: 400 })
    }
    expect(runs.count).toBe(1)
    for (const key of ['"a\\"b\\\\"', '"a b, c"', 'x'.repeat(255)])
      expect([key, (await send('/pay', { 'Idempotency-Key': key })).status]).toEqual([key, 201])
    expect(runs.count).toBe(4)
  })
  it('lets a request without a key pass, or answers 400 where one is required', async () => {
    const { runs, app } = appWith()
    expect((await app.request('/pay', { method: 'POST' })).status).toBe(201)
    expect((await app.request('/pay', { method: 'POST' })).status).toBe(201)
    expect(runs.count).toBe(2)
    const strict = appWith({ required: true })
    const refused = await strict.app.request('/pay', { method: 'POST' })
    expect([refused.status, await refused.json()]).toEqual([
      400,
      expect.objectContaining({ title: 'Idempotency-Key is missing' }),
    ])
    expect((await strict.app.request('/pay')).status).toBe(201)
    expect(strict.runs.count).toBe(1)
  })
  it('leaves a request alone that only reads', async () => {
    const { runs, send } = appWith()
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'GET']) await send('/pay', {}, { method, body: null })
    expect(runs.count).toBe(4)
    for (const method of ['PUT', 'PATCH', 'DELETE']) {
      const key = { 'Idempotency-Key': method }
      await send('/pay', key, { method })
      expect((await send('/pay', key, { method })).headers.get('Idempotency-Replayed')).toBe('true')
    }
    expect(runs.count).toBe(7)
  })
  it('answers 422 to another request with the same key, before and after the first is done', async () => {
    const { runs, send, hold } = appWith()
    const open = hold()
    const first = send()
    while (runs.count === 0) await Promise.resolve().then(() => new Promise((resolve) => setTimeout(resolve)))
    const others = async (): Promise<number[]> => {
      const all = [
        send('/pay', {}, { body: 'y' }),
        send('/pay?a=1'),
        send('/status/200'),
        send('/pay', {}, { method: 'PUT' }),
      ]
      return (await Promise.all(all)).map(({ status }) => status)
    }
    expect(await others()).toEqual([422, 422, 422, 422])
    const running = await send()
    expect([running.status, running.headers.get('Retry-After')]).toEqual([409, '1'])
    open()
    expect((await first).status).toBe(201)
    expect(await others()).toEqual([422, 422, 422, 422])
    const refused = await send('/pay', {}, { body: 'y' })
    expect(await refused.json()).toMatchObject({ title: 'Idempotency-Key is already used', status: 422 })
    expect(runs.count).toBe(1)
  })
  it('has concurrent duplicates wait for the response, up to a limit', async () => {
    const waiting = createIdempotency({ store: memoryStore(), wait: '60s' })
    const { runs, send, hold } = appWith({ idempotency: () => waiting })
    const open = hold()
    const all = Array.from({ length: 20 }, () => send())
    setTimeout(open, 60)
    const responses = await Promise.all((await Promise.all(all)).map(told))
    expect(new Set(responses.map(([status, body]) => `${status} ${body}`))).toEqual(
      new Set(['201 {"run":1,"got":"x"}']),
    )
    expect(responses.filter(([, , replayed]) => replayed === 'true').length).toBe(19)
    expect(runs.count).toBe(1)
  })
  it('says that it is not known what became of a request whose server is gone', async () => {
    const store = memoryStore()
    const options = { idempotency: createIdempotency({ store, wait: 0, hold: 1 }) }
    const { runs, send, hold } = appWith(options, store)
    hold()
    void send()
    while (runs.count === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    let response = await send()
    while (response.headers.has('Retry-After')) response = await send()
    expect([response.status, await response.json()]).toEqual([
      409,
      expect.objectContaining({
        title: expect.stringContaining('unknown'),
        detail: expect.stringContaining('may have been carried out'),
      }),
    ])
    expect(runs.count).toBe(1)
  })
  it('frees the key where the handler throws or answers 5xx, and keeps a 4xx', async () => {
    for (const [path, count] of [
      ['/error', 2],
      ['/status/500', 2],
      ['/status/503', 2],
      ['/throw/400', 2],
      ['/throw/500', 2],
      ['/status/400', 1],
      ['/status/404', 1],
      ['/status/302', 1],
    ] as const) {
      const { runs, send } = appWith()
      const [first, second] = [await send(path), await send(path)]
      expect([path, runs.count, second.headers.get('Idempotency-Replayed')]).toEqual([
        path,
        count,
        count === 1 ? 'true' : null,
      ])
      expect(second.status).toBe(first.status)
    }
  })
  it('keeps a body of any kind, up to its limit, and sends a larger one once', async () => {
    for (const [path, replayed] of [
      ['/empty', true],
      ['/bytes', true],
      ['/size/0', true],
      ['/size/100', true],
      ['/size/101', false],
      ['/size/1000000', false],
    ] as const) {
      const { runs, send } = appWith({ maxBytes: 100 })
      const first = await send(path)
      const body = new Uint8Array(await first.arrayBuffer())
      const second = await send(path)
      expect([path, runs.count]).toEqual([path, 1])
      if (path.startsWith('/size/')) expect(body.length).toBe(Number(path.slice(6)))
      if (replayed) {
        expect([path, second.status, second.headers.get('Content-Type')]).toEqual([
          path,
          first.status,
          first.headers.get('Content-Type'),
        ])
        expect(new Uint8Array(await second.arrayBuffer())).toEqual(body)
      } else {
        expect([second.status, await second.json()]).toEqual([
          409,
          expect.objectContaining({ title: expect.stringMatching(/carried out/) }),
        ])
      }
    }
  })
  it('sends no body again where there was none: a server would add a Content-Type', async () => {
    for (const [path, hasBody] of [
      ['/redirect', false],
      ['/empty', false],
      ['/size/0', true],
    ] as const) {
      const { runs, send } = appWith()
      const both = [await send(path), await send(path)]
      expect([path, runs.count, ...both.map(({ body }) => body !== null)]).toEqual([path, 1, hasBody, hasBody])
      const [first, again] = both.map(({ headers }) => [headers.get('Location'), headers.get('Content-Type')])
      expect(again).toEqual(first)
    }
  })
  it('frees the key where the body of a response breaks off: the client gets an error', async () => {
    let runs = 0
    const breaks = (): ReadableStream =>
      new ReadableStream({
        pull(controller) {
          controller.enqueue(new Uint8Array(3))
          controller.error(new Error(`run ${++runs}`))
        },
      })
    const app = new Hono()
      .use(idempotency({ idempotency: createIdempotency({ store: memoryStore(), wait: 0 }), scope: () => 'u' }))
      .post('/', () => new Response(breaks()))
      .onError((error, c) => c.text(error.message, 500))
    const send = async (): Promise<[number, string, string | null]> =>
      told(await app.request('/', { method: 'POST', headers: { 'Idempotency-Key': 'k' } }))
    expect([await send(), await send()]).toEqual([
      [500, 'run 1', null],
      [500, 'run 2', null],
    ])
  })
  it.each(['text', 'json', 'arrayBuffer', 'blob', 'formData', 'parseBody', undefined] as const)(
    'knows a body that another middleware has read before it, by %s',
    async (method) => {
      let runs = 0
      const app = new Hono()
        .use(async (c, next) => {
          if (method) await (c.req[method] as () => Promise<unknown>)()
          await next()
        })
        .use(idempotency({ idempotency: createIdempotency({ store: memoryStore(), wait: 0 }), scope: () => 'u' }))
        .post('/', (c) => c.text(`run ${++runs}`))
      const isForm = method === 'formData' || method === 'parseBody'
      const send = async (value: string, boundary: string): Promise<[number, string | null]> => {
        const part = `--${boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\n${value}\r\n--${boundary}--\r\n`
        const type = isForm ? `multipart/form-data; boundary=${boundary}` : 'application/json'
        const headers = { 'Idempotency-Key': 'k', 'Content-Type': type }
        const response = await app.request('/', { method: 'POST', headers, body: isForm ? part : value })
        return [response.status, response.headers.get('Idempotency-Replayed')]
      }
      // A browser that sends a form again chooses another boundary.
      expect([await send('1', 'x'), await send('1', 'y'), await send('2', 'x')]).toEqual([
        [200, null],
        [200, 'true'],
        [422, null],
      ])
    },
  )
  it('says what to do where the body was read past Hono', async () => {
    const app = new Hono()
      .onError((error, c) => c.text(error instanceof HitherError ? error.code : String(error), 500))
      .use(async (c, next) => {
        await c.req.raw.text()
        await next()
      })
      .use(idempotency({ idempotency: createIdempotency({ store: memoryStore() }), scope: () => 'u' }))
      .post('/', (c) => c.text('ran'))
    const response = await app.request('/', { method: 'POST', headers: { 'Idempotency-Key': 'k' }, body: '1' })
    expect(await response.text()).toBe('INVALID_ARGUMENT')
  })
  it('sends events as they come', async () => {
    const { send, runs } = appWith()
    const response = await send('/events')
    const reader = response.body?.getReader()
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('data: x\n\n')
    await reader?.cancel()
    expect([(await send('/events')).status, runs.count]).toEqual([409, 1])
  })
  it('sends no response again that a handler has sent itself, by RESPONSE_ALREADY_SENT of Node', async () => {
    const { send, runs } = appWith()
    expect((await send('/sent')).headers.has('x-hono-already-sent')).toBe(true)
    expect([(await send('/sent')).status, runs.count]).toEqual([409, 1])
  })
  it('keeps a key for one user', async () => {
    const { runs, send } = appWith()
    await send('/pay', { 'x-user': 'ann' })
    expect((await send('/pay', { 'x-user': 'bob' })).headers.get('Idempotency-Replayed')).toBe(null)
    expect(runs.count).toBe(2)
    for (const scope of ['', undefined, 7]) {
      const app = appWith({ scope: () => scope as string })
      expect(await told(await app.send())).toEqual([500, 'INVALID_ARGUMENT', null])
      expect(app.runs.count).toBe(0)
    }
  })
  it('carries out nothing where the store is away', async () => {
    const error = new HitherError('STORE_UNAVAILABLE', 'away')
    const { runs, send } = appWith({}, { ...memoryStore(), run: () => Promise.reject(error) })
    expect(await told(await send())).toEqual([500, 'STORE_UNAVAILABLE', null])
    expect(runs.count).toBe(0)
  })
  it('sends the response, and tells of it, where the store takes it no more', async () => {
    const inner = memoryStore()
    const run: AtomicStore['run'] = (operation, key, args, call) =>
      args[0] === 'begin' ? inner.run(operation, key, args, call) : Promise.reject(new Error('away'))
    const told: unknown[] = []
    const { runs, send } = appWith({ onError: (error) => void told.push(error) }, { ...inner, run })
    expect((await send()).status).toBe(201)
    expect((await send('/status/500', { 'Idempotency-Key': 'other' })).status).toBe(500)
    expect(told.map(String)).toEqual(['Error: away', 'Error: away'])
    expect((await send()).status).toBe(409)
    expect(runs.count).toBe(2)
  })
  it('says that a response was too large for the store: the request was carried out', async () => {
    const told: unknown[] = []
    const options = { maxBytes: 10_000, onError: (error: unknown) => void told.push((error as HitherError).code) }
    const { runs, send } = appWith(options, memoryStore({ maxValueBytes: 1000 }))
    const first = await send('/size/2000')
    expect([first.status, (await first.text()).length]).toEqual([200, 2000])
    const second = await send('/size/2000')
    expect([second.status, await second.json()]).toEqual([
      409,
      expect.objectContaining({ title: expect.stringMatching(/carried out/) }),
    ])
    expect([runs.count, told]).toEqual([1, ['VALUE_TOO_LARGE']])
  })
  it('takes no option that makes no sense', () => {
    const good = { idempotency: createIdempotency({ store: memoryStore() }), scope: () => 'x' }
    for (const bad of [
      undefined,
      null,
      {},
      { scope: good.scope },
      { idempotency: good.idempotency },
      { ...good, other: 1 },
      { ...good, maxBytes: -1 },
      { ...good, scope: 'x' },
    ])
      expect(() => idempotency(bad as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
})
