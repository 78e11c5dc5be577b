import { memoryStore } from 'hither/memory'
import { createSessions, hashedEntries, type Sessions, type SessionsOptions } from 'hither/session'
import { describe, expect, it } from 'vitest'

// Sessions under hostile input, codecs and schemas, and under callers that do not wait.

const secrets = [crypto.getRandomValues(new Uint8Array(32))]
const cookieOf = (setCookie: string | undefined): string => setCookie?.split(';')[0] ?? ''
const request = (cookie = ''): Request => new Request('https://a.example/', { headers: { cookie } })
const code = (code: string) => expect.objectContaining({ code })
type Data = Record<string, unknown>
/** A store that calls `onWrite.do` before each `session.write`. */
function before(onWrite: { do: () => unknown }): ReturnType<typeof memoryStore> {
  const store = memoryStore()
  const run: typeof store.run = async (operation, key, args, call) => {
    if (operation.name === 'session.write') await onWrite.do()
    return store.run(operation, key, args, call)
  }
  return { ...store, run }
}
const make = (options: Partial<SessionsOptions<Data>> = {}): Sessions<Data> =>
  createSessions<Data>({ store: memoryStore(), secrets, ...options })

async function begin(sessions: Sessions<Data>, data: Data, subject?: string): Promise<string> {
  const session = await sessions.open(request())
  for (const [name, value] of Object.entries(data)) session.set(name, value)
  if (subject) session.bind(subject)
  return cookieOf(await session.save())
}

describe('sessions: hostile input', () => {
  it('keeps every name and value as it is', async () => {
    const sessions = make()
    const names = [
      '__proto__',
      'constructor',
      'toString',
      'a\tb\nc',
      '!x',
      '.x',
      '%0A',
      'ü €',
      ' ',
      '=',
      'n'.repeat(500),
    ]
    const values = [
      '\n',
      '\t',
      '\0\r\n\u2028',
      's1'.repeat(50),
      '\ud800',
      '',
      '%',
      { ['__proto__']: 1 },
      [undefined],
      -0,
      null,
    ]
    const data: [string, unknown][] = names.map((name, i) => [name, values[i % values.length]])
    const session = await sessions.open(request())
    for (const [name, value] of data) session.set(name, value)
    session.flash('__proto__', '\n')
    const read = await sessions.open(request(cookieOf(await session.save())))
    for (const [name, value] of data) expect([name, read.get(name)]).toEqual([name, value])
    expect(read.flash('__proto__')).toBe('\n')
    expect(read.get('hasOwnProperty')).toBe(undefined)
    expect(({} as Data).polluted).toBe(undefined)
    expect(() => session.set('\ud800', 1)).toThrow(code('INVALID_ARGUMENT'))
    expect(() => session.set(7 as never, 1)).toThrow(code('INVALID_ARGUMENT'))
  })
  it('opens nothing by a cookie of any other form', async () => {
    const sessions = make()
    const cookie = await begin(sessions, { user: 1 })
    const value = cookie.slice('__Host-session='.length)
    const forms = [
      `"${value}"`,
      `${value}\u00a0x`,
      `${value}.`,
      `.${value}`,
      value.toUpperCase(),
      value.replaceAll('.', '%2E'),
      encodeURIComponent(`${value}\n`),
      value.slice(0, 32).padEnd(32, '/'),
      `${'='.repeat(99)}${value}`,
      'a'.repeat(1_000_000),
      '.'.repeat(100_000),
    ]
    for (const form of forms) {
      const session = await sessions.open(request(`__Host-session=${form}`))
      expect([form.slice(0, 50), session.isNew]).toEqual([form.slice(0, 50), true])
    }
    // Many cookies of that name: only the first few are checked.
    const crowd = Array.from({ length: 5000 }, () => `__Host-session=${'a'.repeat(32)}..${'b'.repeat(43)}`)
    expect((await sessions.open(request(crowd.join('; ')))).isNew).toBe(true)
    expect((await sessions.open(request(`;;=; ;${cookie};`))).get('user')).toBe(1)
  })
  it('takes any text as a subject, and none that is not text', async () => {
    const sessions = make()
    for (const subject of ['__proto__', '\n', ' ', 'user:7'.repeat(1000), '../..', '\ud800', '-'.repeat(22)]) {
      const cookie = await begin(sessions, {}, subject)
      expect((await sessions.list(subject)).length).toBe(1)
      await sessions.destroyAll(subject)
      expect((await sessions.open(request(cookie))).isNew).toBe(true)
    }
    const session = await sessions.open(request())
    for (const wrong of [7, null, undefined, {}, ['user:7']]) {
      expect(() => session.bind(wrong as never)).toThrow(code('INVALID_ARGUMENT'))
      await expect(sessions.destroyAll(wrong as never)).rejects.toEqual(code('INVALID_ARGUMENT'))
      await expect(sessions.list(wrong as never)).rejects.toEqual(code('INVALID_ARGUMENT'))
    }
  })
  it('tells subjects and ids apart that UTF-8 does not', async () => {
    const sessions = make()
    const entries = hashedEntries({ store: memoryStore() })
    const odd = ['u\ud800', 'u\udbff', 'u\ufffd', 'u', JSON.stringify('u\ud800')]
    const cookies = await Promise.all(odd.map((subject) => begin(sessions, {}, subject)))
    await sessions.destroyAll('u\ud800')
    const opened = await Promise.all(cookies.map((cookie) => sessions.open(request(cookie))))
    expect(opened.map(({ isNew }) => isNew)).toEqual([true, false, false, false, false])
    for (const id of odd) await entries.set(id, JSON.stringify(id))
    expect(await Promise.all(odd.map((id) => entries.get(id)))).toEqual(odd.map((id) => JSON.stringify(id)))
  })
  it('drops no option in silence', () => {
    expect(() => make({ cookie: { domain: 'shop.example' } as never })).toThrow('cookie has no option domain')
    expect(() => createSessions(undefined as never)).toThrow(code('INVALID_ARGUMENT'))
    expect(() => hashedEntries({ store: memoryStore(), life: '1d' } as never)).toThrow(
      'hashedEntries has no option life',
    )
    expect(() => hashedEntries(undefined as never)).toThrow(code('INVALID_ARGUMENT'))
    expect(() => hashedEntries({ store: {} } as never)).toThrow(code('UNSUPPORTED'))
    for (const name of ['__Host-session', '__secure-session']) {
      expect(() => make({ cookie: { name } })).toThrow('a token without a prefix')
    }
  })
  it('takes nothing that is no bytes for a secret: a number would be as many zeros', () => {
    const bytes = new Uint8Array(32)
    for (const secret of [64, { length: 64 }, Array(64).fill(0), bytes.buffer, new Float64Array(32), null, true]) {
      expect(() => make({ secrets: [bytes, secret as never] })).toThrow(code('INVALID_ARGUMENT'))
    }
    expect(() => make({ secrets: [bytes] })).not.toThrow()
  })
  it('opens what is a request, or has its headers', async () => {
    for (const wrong of [undefined, null, {}, { headers: { cookie: 'a' } }]) {
      await expect(make().open(wrong as never)).rejects.toEqual(code('INVALID_ARGUMENT'))
      await expect(make({ insecure: true }).open(wrong as never)).rejects.toEqual(code('INVALID_ARGUMENT'))
    }
  })
  it('reads a request of Node whose url is a path', async () => {
    const sessions = make({ insecure: true })
    const headers = new Headers({ host: 'localhost:3000' })
    expect((await sessions.open({ headers, url: '/cart?x=http://other' })).isNew).toBe(true)
    await expect(sessions.open({ headers: new Headers({ host: 'shop.example' }), url: '/' })).rejects.toEqual(
      code('INSECURE_URL'),
    )
    await expect(sessions.open({ headers, url: 'http://shop.example/' })).rejects.toEqual(code('INSECURE_URL'))
  })
  it('refuses a session that has grown past its bound, and keeps what there was', async () => {
    const sessions = make()
    const cookie = await begin(sessions, { user: 1 })
    for (let i = 0; i < 3; i++) {
      const session = await sessions.open(request(cookie))
      session.set(`part${i}`, 'x'.repeat(400_000))
      if (i < 2) await session.save()
      else await expect(session.save()).rejects.toEqual(code('VALUE_TOO_LARGE'))
    }
    const session = await sessions.open(request())
    session.set('all', 'x'.repeat(1_100_000))
    await expect(session.save()).rejects.toEqual(code('VALUE_TOO_LARGE'))
    expect((await sessions.open(request(cookie))).get('user')).toBe(1)
  })
})

describe('sessions: callers that do not wait', () => {
  it('keeps what is changed while a save is under way for the next one', async () => {
    const onWrite = { do: (): unknown => undefined }
    const sessions = make({ store: before(onWrite) })
    const session = await sessions.open(request())
    session.set('a', 1)
    onWrite.do = () => session.set('b', 2)
    const cookie = cookieOf(await session.save())
    await session.save()
    const open = async () => sessions.open(request(cookie))
    expect([(await open()).get('a'), (await open()).get('b')]).toEqual([1, 2])
    session.set('a', 3)
    onWrite.do = () => {
      session.set('a', 4)
      session.delete('b')
      session.bind('user:7')
    }
    await session.save()
    onWrite.do = () => undefined
    expect([session.get('a'), session.get('b')]).toEqual([4, undefined])
    await session.save()
    expect([(await open()).get('a'), (await open()).get('b')]).toEqual([4, undefined])
    expect((await sessions.list('user:7')).length).toBe(1)
  })
  it('saves what was changed in place before a rotation, unless another request has ended the session', async () => {
    const sessions = make()
    const cookie = await begin(sessions, { cart: ['a'], n: 1 })
    const [first, late] = [await sessions.open(request(cookie)), await sessions.open(request(cookie))]
    for (const session of [first, late]) {
      ;(session.get('cart') as string[]).push('b')
      await session.rotate()
    }
    const read = await sessions.open(request(cookieOf(await first.save())))
    expect([read.get('cart'), read.get('n'), late.get('cart')]).toEqual([['a', 'b'], 1, undefined])
  })
  it.each(['before', 'after'])(
    'takes nothing stored to another subject by a change in place %s the rotation',
    async (when) => {
      const sessions = make()
      const cookie = await begin(sessions, { auth: { role: 'admin' } }, 'user:7')
      const late = await sessions.open(request(cookie))
      const change = (): void => void Object.assign(late.get('auth') as object, { seen: 1 })
      await sessions.destroyAll('user:7')
      if (when === 'before') change()
      await late.rotate()
      if (when === 'after') change()
      late.set('kept', 1)
      late.bind('user:8')
      const read = await sessions.open(request(cookieOf(await late.save())))
      expect([read.isNew, read.get('auth'), read.get('kept')]).toEqual([false, undefined, 1])
    },
  )
  it('saves what is changed in place after a save', async () => {
    const sessions = make()
    const cookie = await begin(sessions, { cart: ['a'], gone: ['x'] })
    const session = await sessions.open(request(cookie))
    const cart = session.get('cart') as string[]
    expect(session.get('gone')).toEqual(['x'])
    cart.push('b')
    session.delete('gone')
    await session.save()
    cart.push('c')
    await session.save()
    const read = await sessions.open(request(cookie))
    expect([read.get('cart'), read.get('gone')]).toEqual([['a', 'b', 'c'], undefined])
  })
  it('saves 10,000 times at once, and loses none', async () => {
    const sessions = make()
    const cookie = await begin(sessions, { n: 0 })
    const one = await sessions.open(request(cookie))
    const saves = Array.from({ length: 10_000 }, (_, i) => {
      one.set(`f${i % 100}`, i)
      return one.save()
    })
    await Promise.all(saves)
    const read = await sessions.open(request(cookie))
    for (let i = 0; i < 100; i++) expect(read.get(`f${i}`)).toBe(9900 + i)
  })
})

describe('sessions: what was ended stays so', () => {
  it('by destroyAll, whatever a request that is under way binds or rotates', async () => {
    const sessions = make()
    for (const late of ['bind', 'rotate and bind', 'bind another'] as const) {
      const cookie = await begin(sessions, { user: 7 }, 'user:7')
      const session = await sessions.open(request(cookie))
      await sessions.destroyAll('user:7')
      if (late === 'rotate and bind') await session.rotate()
      session.set('mine', 1)
      session.bind(late === 'bind another' ? 'user:8' : 'user:7')
      const next = await sessions.open(request(cookieOf(await session.save()) || cookie))
      expect([late, next.get('user')]).toEqual([late, undefined])
      expect((await sessions.open(request(cookie))).isNew).toBe(true)
      await sessions.destroyAll('user:7')
      await sessions.destroyAll('user:8')
    }
  })
  it('by destroyAll between the look and the write of a request that binds another', async () => {
    const onWrite = { do: (): unknown => undefined }
    const sessions = make({ store: before(onWrite) })
    const cookie = await begin(sessions, { user: 7 }, 'user:7')
    const session = await sessions.open(request(cookie))
    session.bind('user:8')
    onWrite.do = () => sessions.destroyAll('user:7')
    const sent = cookieOf(await session.save())
    for (const one of [cookie, sent]) expect((await sessions.open(request(one))).isNew).toBe(true)
  })
  it('two requests bind at once: the last one holds, under its own subject', async () => {
    const sessions = make()
    const cookie = await begin(sessions, { user: 7 })
    const [a, b] = [await sessions.open(request(cookie)), await sessions.open(request(cookie))]
    a.bind('user:7')
    b.bind('user:8')
    b.set('b', 1)
    await a.save()
    const sent = cookieOf(await b.save())
    expect((await sessions.open(request(sent))).get('b')).toBe(1)
    await sessions.destroyAll('user:7')
    expect((await sessions.open(request(sent))).get('user')).toBe(7)
    await sessions.destroyAll('user:8')
    expect((await sessions.open(request(sent))).isNew).toBe(true)
    // Another request binds the session, which is then destroyed. Binding it once more does not resurrect it.
    const again = await begin(sessions, { user: 7 })
    const [c, d] = [await sessions.open(request(again)), await sessions.open(request(again))]
    c.bind('user:7')
    await c.save()
    await sessions.destroyAll('user:7')
    d.bind('user:8')
    const late = cookieOf(await d.save())
    for (const one of [again, late]) expect((await sessions.open(request(one))).isNew).toBe(true)
  })
  it('keeps a generation as long as the longest session that holds it', async () => {
    const store = memoryStore()
    const long = make({ store, idle: '30d', absolute: '30d' })
    const short = make({ store, idle: '1m', absolute: '1m' })
    const cookie = await begin(long, { user: 7 }, 'user:7')
    await begin(short, {}, 'user:7')
    const [key] = [`:hither:u:${cookie.split('.')[1]}`]
    const left = await store.run(
      {
        name: 'test.left',
        effect: 'read',
        lua: `return redis.call('PTTL', KEYS[1])`,
        apply: (current, _args: readonly [], { leftMs }) => ({ next: current, ttl: 'keep', reply: leftMs ?? -1 }),
      },
      key as string,
      [],
    )
    expect(left).toBeGreaterThan(29 * 86_400_000)
  })
})

describe('sessions: codecs and schemas', () => {
  it('gives what a schema makes of the data', async () => {
    const validate = (value: unknown) => {
      const data = value as { n?: unknown }
      if (data.n !== undefined && Number.isNaN(Number(data.n))) return { issues: ['n'] }
      return { value: { ...data, n: Number(data.n ?? 5), extra: 'made' } }
    }
    const schema = { '~standard': { version: 1, vendor: 'test', validate } } as const
    const store = memoryStore()
    const sessions = make({ store, schema })
    const session = await sessions.open(request())
    session.set('n', '7')
    const cookie = cookieOf(await session.save())
    const read = await sessions.open(request(cookie))
    expect([read.get('n'), read.get('extra')]).toEqual([7, 'made'])
    // The result of the schema is not stored by itself: a request that changes nothing writes nothing.
    expect(await read.save()).toBe(undefined)
    expect((await make({ store }).open(request(cookie))).get('n')).toBe('7')
  })
  it('a schema that throws, and one that freezes what it is given', async () => {
    const broken = make({
      schema: { '~standard': { version: 1, vendor: 'test', validate: () => Promise.reject(new Error('broken')) } },
    })
    const session = await broken.open(request())
    session.set('a', 1)
    await expect(session.save()).rejects.toThrow('broken')
    const frozen = make({
      schema: {
        '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: Object.freeze(value) as Data }) },
      },
    })
    const cookie = await begin(frozen, { a: 1 })
    const read = await frozen.open(request(cookie))
    read.set('a', 2)
    await read.save()
    expect((await frozen.open(request(cookie))).get('a')).toBe(2)
  })
  it('what was stored without the codec is no session, nor is what was stored with one that is gone', async () => {
    const store = memoryStore()
    const codec = {
      mark: 'X',
      encode: (value: unknown) => JSON.stringify(value),
      decode: (text: string) => JSON.parse(text),
    }
    const [plain, coded] = [make({ store }), make({ store, codec })]
    const text = await begin(plain, { a: 'text' })
    const number = await begin(plain, { a: 7 })
    const hidden = await begin(coded, { a: 'hidden' })
    const opened = [coded.open(request(text)), coded.open(request(number)), plain.open(request(hidden))]
    expect((await Promise.all(opened)).map(({ isNew }) => isNew)).toEqual([true, true, true])
    expect((await coded.open(request(hidden))).get('a')).toBe('hidden')
    // The first form had no mark.
    const get: typeof store.get = async (key) => (await store.get(key))?.replace('\tc"', '\t"')
    const first = make({ store: { ...store, get }, codec })
    expect((await first.open(request(hidden))).get('a')).toBe('hidden')
  })
  it('a codec that fails stores nothing, and its error is passed on', async () => {
    const store = memoryStore()
    const codec = {
      mark: 'X',
      encode: async (value: unknown) => {
        if (value === 'bad') throw new Error('no key')
        return `\n\t${JSON.stringify(value)}\ud800`
      },
      decode: (text: string) => {
        if (text.includes('rotten')) throw new Error('rotten')
        return JSON.parse(text.slice(2, -1)) as unknown
      },
    }
    const sessions = make({ store, codec })
    const session = await sessions.open(request())
    session.set('a', 'bad')
    session.set('b', 1)
    await expect(session.save()).rejects.toThrow('no key')
    expect(session.isNew).toBe(true)
    session.set('a', 'good')
    const cookie = cookieOf(await session.save())
    expect((await sessions.open(request(cookie))).get('a')).toBe('good')
    const rotten = await begin(sessions, { a: 'rotten' })
    expect((await sessions.open(request(rotten))).isNew).toBe(true)
  })
})

describe('sessions: cookies', () => {
  const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  it('opens none that is signed by another secret, for another namespace or subject, or in a second text', async () => {
    const store = memoryStore()
    const sessions = make({ store })
    const cookie = await begin(sessions, { user: 1 })
    const last = cookie.at(-1) as string
    // Two bits of the last letter of a signature carry no information.
    const twin = cookie.slice(0, -1) + ALPHABET[ALPHABET.indexOf(last) ^ 1]
    const other = make({ store, secrets: [crypto.getRandomValues(new Uint8Array(32))] })
    const elsewhere = await begin(make({ store: memoryStore(), namespace: 'elsewhere' }), { user: 2 })
    const id = cookie.slice('__Host-session='.length, '__Host-session='.length + 32)
    for (const forged of [twin, elsewhere.replace(/=[^.]+/, `=${id}`), cookie.replace('..', `.${'s'.repeat(22)}.`)]) {
      expect((await sessions.open(request(forged))).isNew).toBe(true)
    }
    expect((await other.open(request(cookie))).isNew).toBe(true)
    expect((await sessions.open(request(cookie))).get('user')).toBe(1)
    // The same id and the same secret, but signed for another namespace, over a store that leads to the same key.
    const moved = { ...store, get: (key: string) => store.get(key.replace(':elsewhere:', ':hither:')) }
    expect((await make({ store: moved, namespace: 'elsewhere' }).open(request(cookie))).isNew).toBe(true)
  })
})

describe('sessions: one request among others', () => {
  it('rotate ends the old id at once, and brings back nothing that another has ended', async () => {
    const sessions = make()
    const cookie = await begin(sessions, { user: 1 })
    const [late, session] = [await sessions.open(request(cookie)), await sessions.open(request(cookie))]
    await session.rotate()
    expect((await sessions.open(request(cookie))).isNew).toBe(true)
    const next = cookieOf(await session.save())
    expect((await sessions.open(request(next))).get('user')).toBe(1)
    await late.rotate()
    late.set('mine', 1)
    const own = await sessions.open(request(cookieOf(await late.save())))
    expect([own.get('user'), own.get('mine')]).toEqual([undefined, 1])
  })
  it('destroy ends what another has rotated: before it is stored, and after, however often', async () => {
    const sessions = make()
    for (const rotations of [0, 1, 2]) {
      let cookie = await begin(sessions, { user: 1 })
      const leaving = await sessions.open(request(cookie))
      for (let i = 0; i < rotations; i++) {
        const rotating = await sessions.open(request(cookie))
        await rotating.rotate()
        cookie = cookieOf(await rotating.save())
      }
      const [late, other] = [await sessions.open(request(cookie)), await sessions.open(request(cookie))]
      await late.rotate()
      await other.rotate()
      await leaving.destroy()
      // Destroying it once more leaves in place what keeps the late request from storing it.
      await leaving.destroy()
      late.set('mine', 1)
      const sent = cookieOf(await late.save())
      expect([sent, late.isNew]).toEqual(['__Host-session=', true])
      expect((await sessions.open(request(cookie))).isNew).toBe(true)
    }
    const cookie = await begin(sessions, { user: 1 })
    const [leaving, rotating] = [await sessions.open(request(cookie)), await sessions.open(request(cookie))]
    await rotating.rotate()
    const next = cookieOf(await rotating.save())
    await leaving.destroy()
    expect((await sessions.open(request(next))).isNew).toBe(true)
    rotating.set('mine', 1)
    expect(await rotating.save()).toBe(undefined)
  })
  it('a rotated session whose save has lost its reply is saved by the next one, unless another has ended it', async () => {
    for (const isEnded of [false, true]) {
      const store = memoryStore()
      let losing = false
      const run: typeof store.run = async (operation, ...rest) => {
        const reply = await store.run(operation, ...rest)
        if (losing && operation.name === 'session.write') throw new Error('lost')
        return reply
      }
      const sessions = make({ store: { ...store, run } })
      const cookie = await begin(sessions, { user: 1 })
      const [leaving, session] = [await sessions.open(request(cookie)), await sessions.open(request(cookie))]
      await session.rotate()
      losing = true
      await expect(session.save()).rejects.toThrow('lost')
      losing = false
      if (isEnded) await leaving.destroy()
      const next = await sessions.open(request(cookieOf(await session.save())))
      expect([next.isNew, next.get('user')]).toEqual(isEnded ? [true, undefined] : [false, 1])
    }
  })
  it('rotate of what another has rotated sends no empty session over its cookie', async () => {
    const sessions = make()
    const cookie = await begin(sessions, { user: 1 })
    const [first, second] = [await sessions.open(request(cookie)), await sessions.open(request(cookie))]
    await Promise.all([first.rotate(), second.rotate()])
    const sent = [await first.save(), await second.save()]
    expect(sent[1]).toBe(undefined)
    expect((await sessions.open(request(cookieOf(sent[0])))).get('user')).toBe(1)
  })
  it('what another has ended is neither saved nor extended, and its cookie is not touched', async () => {
    const store = memoryStore()
    let writes = 0
    const run: typeof store.run = (operation, ...rest) => {
      writes++
      return store.run(operation, ...rest)
    }
    const sessions = make({ store: { ...store, run }, idle: '10ms', absolute: '1h' })
    const cookie = await begin(make({ store }), { user: 1 })
    const [late, leaving] = [await sessions.open(request(cookie)), await sessions.open(request(cookie))]
    await leaving.destroy()
    await new Promise((resolve) => setTimeout(resolve, 5))
    // By now the idle time is due to be extended.
    expect(await late.save()).toBe(undefined)
    late.set('x', 1)
    expect([await late.save(), await late.save()]).toEqual([undefined, undefined])
    // The store is not asked any more.
    const asked = writes
    expect([await late.save(), writes]).toEqual([undefined, asked])
    expect(await late.rotate()).toBe(undefined)
    expect((await sessions.open(request(cookie))).isNew).toBe(true)
  })
  it('a schema judges what is read and what is saved, by what is stored', async () => {
    const store = memoryStore()
    /** Takes a text and returns a Date, so that the schema would refuse its own result. */
    const validate = (value: unknown) => {
      const { at, ...rest } = value as { at?: unknown }
      if (at !== undefined && typeof at !== 'string') return { issues: ['a text is wanted'] }
      return { value: at === undefined ? rest : { ...rest, at: new Date(at) } }
    }
    const schema = { '~standard': { version: 1, vendor: 'test', validate } } as const
    const strict = make({ store, schema })
    const plain = make({ store })
    const bad = await begin(plain, { at: 7 })
    expect((await strict.open(request(bad))).isNew).toBe(true)
    const cookie = await begin(strict, { at: '2026-01-01' })
    const session = await strict.open(request(cookie))
    expect(session.get('at')).toEqual(new Date('2026-01-01'))
    session.set('other', 1)
    await session.save()
    await session.rotate()
    const next = cookieOf(await session.save())
    expect((await plain.open(request(next))).get('at')).toBe('2026-01-01')
    session.set('at', 7)
    await expect(session.save()).rejects.toEqual(code('INVALID_VALUE'))
  })
})

it('a count by a hashed id begins anew over text that is none', async () => {
  const entries = hashedEntries({ store: memoryStore() })
  for (const text of ['x', '', '-1', '007', '1.5', '9'.repeat(16)]) {
    await entries.set('a', text)
    expect([text, await entries.count('a', '1m'), await entries.count('a', '1m')]).toEqual([text, 1, 2])
  }
})
