import { createCache, HitherError } from 'hither'
import { createIdempotency } from 'hither/idempotency'
import { memoryStore } from 'hither/memory'
import { dualStore, type MigrateState, migrate } from 'hither/migrate'
import { describe, expect, it } from 'vitest'
import { addToCount } from '../../../src/counter/operations.ts'
import { idempotencyStep } from '../../../src/idempotency/operations.ts'
import type { AtomicStore, Call } from '../../../src/store/store.ts'
import { brokenStore } from '../../../src/testing/broken-store.ts'
import { createTokens } from '../../../src/token/index.ts'
import { takeToken } from '../../../src/token/operations.ts'

const keysOf = (count: number): string[] => Array.from({ length: count }, (_, i) => `k:${i}`)

/** A state in memory, as a file would keep it. */
function stateIn(box: { text?: string | undefined }): MigrateState {
  return {
    load: async () => box.text,
    save: async (text) => {
      box.text = text
    },
  }
}
/** `store` with some of its methods replaced. */
const over = (store: AtomicStore, methods: Partial<AtomicStore>): AtomicStore => ({ ...store, ...methods })

describe('migrate', () => {
  it('copies text, bytes and lifetimes, and leaves alone what only the target has', async () => {
    let at = 1_000_000
    const now = (): number => at
    const [from, to] = [memoryStore({ now }), memoryStore({ now })]
    await from.set('text', 'ü😀', 60_000)
    await from.set('forever', 'x')
    await from.set('odd', 'a\uFFFDb')
    await from.setBytes?.('bytes', new Uint8Array([0, 255, 254, 10]), 60_000)
    await to.set('own', 'kept')
    await to.set('text', 'older')
    const result = await migrate(from, to, { keys: ['text', 'forever', 'odd', 'bytes', 'gone'] })
    expect(result).toEqual({ copied: 4, bytes: 6 + 1 + 5 + 4, gone: 1, kept: 0, notMoved: [] })
    expect(await to.getMany(['text', 'forever', 'odd', 'own'])).toEqual(['ü😀', 'x', 'a\uFFFDb', 'kept'])
    expect(await to.getBytes?.('bytes')).toEqual(new Uint8Array([0, 255, 254, 10]))
    at += 60_001
    expect(await to.getMany(['text', 'forever', 'bytes'])).toEqual([undefined, 'x', undefined])
  })

  it('refuses two stores over one place, deletes nothing there, and leaves nothing behind', async () => {
    const from = memoryStore({ maxValueBytes: 1000 })
    await from.set('large', 'x'.repeat(500))
    const same = over(from, { traits: { ...from.traits, maxValueBytes: 100 } })
    for (const [options, name] of [
      [{}, /^hither-migrate:/],
      // A Redis user may have the rights of one namespace only.
      [{ namespace: 'shop' }, /^shop:hither-migrate:/],
    ] as const) {
      let mark = ''
      const set: AtomicStore['set'] = (key, ...rest) => {
        mark ||= key
        return from.set(key, ...rest)
      }
      const refused = { code: 'INVALID_ARGUMENT', message: expect.stringContaining('one place') }
      await expect(migrate(from, over(same, { set }), { keys: ['large'], ...options })).rejects.toMatchObject(refused)
      expect(mark).toMatch(name)
      expect(await from.get(mark)).toBeUndefined()
      // One that another run has left behind is no key to copy.
      await from.set(mark, 'x')
      expect(await migrate(from, memoryStore(), { keys: [mark], ...options })).toMatchObject({ copied: 0, gone: 0 })
    }
    expect(await from.get('large')).toBe('x'.repeat(500))
  })

  it('copies nothing while it cannot find out whether two stores are one place', async () => {
    const from = memoryStore({ maxValueBytes: 1000 })
    await from.set('large', 'x'.repeat(500))
    const written: string[] = []
    const failing = (error: unknown): AtomicStore =>
      over(from, {
        traits: { ...from.traits, maxValueBytes: 100 },
        async set(key) {
          written.push(key)
          throw error
        },
      })
    for (const code of ['STORE_UNAVAILABLE', 'TIMEOUT', 'STORE_REJECTED'] as const) {
      const error = new HitherError(code, 'no')
      await expect(migrate(from, failing(error), { keys: ['large'] })).rejects.toBe(error)
    }
    expect(await from.get('large')).toBe('x'.repeat(500))

    written.length = 0
    const aborted = { keys: ['large'], signal: AbortSignal.abort() }
    await expect(migrate(from, failing(undefined), aborted)).rejects.toBe(aborted.signal.reason)
    expect(written).toEqual([])
  })

  it('copies to a store where the user may not write the mark, and leaves none where it may not be read', async () => {
    const denied = new HitherError('UNAUTHORIZED', 'no')
    const [from, to] = [memoryStore(), memoryStore()]
    await from.set('a', 'x')
    let mark = ''
    const set: AtomicStore['set'] = async (key, ...rest) => {
      if (key !== 'a') throw denied
      await to.set(key, ...rest)
    }
    expect(await migrate(from, over(to, { set }), { keys: ['a'] })).toMatchObject({ copied: 1 })
    const get: AtomicStore['get'] = async (key) => {
      mark = key
      throw new HitherError('TIMEOUT', 'no')
    }
    await expect(migrate(over(from, { get }), to, { keys: ['a'] })).rejects.toMatchObject({ code: 'TIMEOUT' })
    expect(mark).toMatch(/^hither-migrate:/)
    expect(await to.get(mark)).toBeUndefined()
  })

  it('keeps what the target has, where asked to', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    await Promise.all([from.set('a', 'new'), from.set('b', 'new'), to.set('a', 'old')])
    const result = await migrate(from, to, { keys: ['a', 'b', 'none'], existing: 'keep' })
    expect(result).toMatchObject({ copied: 1, kept: 1, gone: 1 })
    expect(await to.getMany(['a', 'b'])).toEqual(['old', 'new'])
  })

  it('counts and names what cannot move, and leaves no older value of it', async () => {
    const from = memoryStore({ maxKeyBytes: 4096 })
    const to = memoryStore({ maxValueBytes: 100 })
    const long = 'k'.repeat(2000)
    await Promise.all([from.set('large', 'x'.repeat(101)), from.set(long, '1'), from.set('huge', 'x'.repeat(200_000))])
    await to.set('large', 'older')
    const result = await migrate(from, to, { keys: ['large', long, 'huge', `~sha256:${'a'.repeat(43)}`, 'a\uFFFD'] })
    expect(result.notMoved).toEqual([
      { reason: 'value-too-large', count: 2, keys: ['large', 'huge'] },
      { reason: 'key-too-long', count: 1, keys: [long] },
      { reason: 'hashed-key', count: 1, keys: [`~sha256:${'a'.repeat(43)}`] },
      { reason: 'binary-key', count: 1, keys: ['a\uFFFD'] },
    ])
    expect(await to.get('large')).toBeUndefined()
  })

  it('names tag versions and other state where the target has no operations', async () => {
    const from = memoryStore()
    const { run: _, ...plain } = memoryStore()
    const cache = createCache({ store: from, namespace: 'shop', ttl: '1m' })
    await cache.set('a', 1, { tags: ['t'] })
    const result = await migrate(from, plain, { keys: ['shop:a', ':shop:t:t', ':shop:g'] })
    expect(result).toMatchObject({ copied: 1 })
    expect(result.notMoved.map(({ reason, keys }) => [reason, ...keys])).toEqual([
      ['tag-version', ':shop:t:t'],
      ['needs-operations', ':shop:g'],
    ])
  })

  it('takes a namespace with those nested in it, and no other', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    const ofHttp = ['shop!:a', 'shop.eu!:b:x:0', ':shop!:g', ':shop!:t:x']
    const wanted = ['shop:a', 'shop.eu:a', ':shop:g', ':shop.eu:t:x', ...ofHttp]
    const others = ['shopping:a', 'workshop:a', 'other:shop:a', ':shopping:g', 'shop', 'shopping!:a', 'shop!!:a']
    for (const key of [...wanted, ...others]) await from.set(key, '1')
    const result = await migrate(from, to, { keys: [...wanted, ...others], namespace: 'shop' })
    expect(result).toMatchObject({ copied: wanted.length })
    expect(await to.getMany(others)).toEqual(others.map(() => undefined))
  })

  it('does not put back what is deleted or changed in both stores during the copy', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    await Promise.all([from.set('deleted', 'old'), from.set('changed', 'old'), from.set('touched', 'same', 1000)])
    const lives: number[] = []
    const late = over(to, {
      async set(key, value, ttlMs, call) {
        if (key === 'touched') lives.push(ttlMs ?? 0)
        if (value === 'old' && key === 'deleted') await Promise.all([from.delete([key]), to.delete([key])])
        if (value === 'old' && key === 'changed') await Promise.all([from.set(key, 'new'), to.set(key, 'new')])
        if (key === 'touched' && (ttlMs ?? 0) <= 1000) await from.set(key, 'same', 60_000)
        await to.set(key, value, ttlMs, call)
      },
    })
    await migrate(from, late, { keys: ['deleted', 'changed', 'touched'] })
    expect(await to.getMany(['deleted', 'changed', 'touched'])).toEqual([undefined, 'new', 'same'])
    expect(lives.map((ms) => ms > 1000)).toEqual([false, true])
  })

  it('goes on where the target is away for a while, and ends where it stays away', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    const keys = keysOf(300)
    for (const key of keys) await from.set(key, key)
    const broken = brokenStore(undefined, { store: to })
    let calls = 0
    const flaky = over(broken, {
      ...broken,
      async set(key, value, ttlMs, call) {
        if (++calls === 150) {
          broken.fault = 'down'
          setTimeout(() => {
            broken.fault = undefined
          }, 300)
        }
        await broken.set(key, value, ttlMs, call)
      },
    })
    expect(await migrate(from, flaky, { keys })).toMatchObject({ copied: 300 })
    expect(await to.getMany(keys)).toEqual(keys)
    const box: { text?: string } = {}
    const down = brokenStore('down')
    // Down for all but the mark that shows whether it is another place than `from`.
    const dead = over(down, {
      ready: async () => {},
      set: async (key, ...rest) => (key.startsWith('k:') ? down.set(key, ...rest) : undefined),
    })
    await expect(migrate(from, dead, { keys, patienceMs: 300, state: stateIn(box) })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    })
    expect(box.text).toContain('k:0')
  })

  it('has patience with a store that is away after a wait for the rate, or after a long scan', {
    timeout: 60_000,
  }, async () => {
    const unavailable = (): never => {
      throw new HitherError('STORE_UNAVAILABLE', 'away', { retryable: true })
    }
    const [from, to] = [memoryStore(), memoryStore()]
    const keys = keysOf(200)
    for (const key of keys) await from.set(key, key)
    let writes = 0
    const set: AtomicStore['set'] = async (...args) =>
      args[0].startsWith('k:') && ++writes > 100 && writes <= 200 ? unavailable() : to.set(...args)
    const slow = { keysPerSecond: 100, patienceMs: 800 }
    expect(await migrate(from, over(to, { set }), { keys, ...slow })).toMatchObject({ copied: 200 })

    const replies: (() => unknown)[] = [
      () => new Promise((resolve) => setTimeout(() => resolve(['1', []]), 1000)),
      unavailable,
      () => ['0', ['k:0']],
    ]
    const send = async ({ args }: { readonly args: readonly unknown[] }): Promise<unknown> =>
      args[0] === 'SCAN' ? replies.shift()?.() : undefined
    const source = { ...from, transport: { send } } as unknown as AtomicStore
    expect(await migrate(source, to, { patienceMs: 800 })).toMatchObject({ copied: 1 })
  })

  it('is resumed from its state, counts on, and mends what was left half done', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    const keys = keysOf(1200)
    for (const key of keys) await from.set(key, key)
    const box: { text?: string } = {}
    const stop = new AbortController()
    const first = migrate(from, to, {
      keys,
      state: stateIn(box),
      signal: stop.signal,
      onProgress: ({ copied }) => copied >= 500 && stop.abort(new Error('stopped')),
    })
    await expect(first).rejects.toThrow('stopped')
    const pending = (JSON.parse(box.text ?? '') as { pending: string[] }).pending
    expect(pending.length).toBe(500)
    // Leaves the key as a process does that is killed between its write and its second look.
    await from.delete([pending[0] as string])
    await to.set(pending[0] as string, 'deleted meanwhile')
    const rest = keys.filter((key) => key !== pending[0])
    const result = await migrate(from, to, { keys: rest, state: stateIn(box) })
    expect(await to.getMany(keys)).toEqual(keys.map((key) => (key === pending[0] ? undefined : key)))
    expect(result.copied).toBeGreaterThan(1200)
    expect(box.text).toBeUndefined()
  })

  it('refuses what makes no sense before it copies anything', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    const { run: _, ...plain } = memoryStore()
    const invalid = { code: 'INVALID_ARGUMENT' }
    const keys: readonly string[] = ['a']
    await expect(migrate(from, from, { keys })).rejects.toMatchObject(invalid)
    await expect(migrate(from, to)).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    await expect(migrate(plain as AtomicStore, to, { keys })).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    const wrong: readonly object[] = [
      { namespace: '' },
      { namespace: 'a*' },
      { namespace: 'a..b' },
      { keysPerSecond: 0 },
      { bytesPerSecond: Number.NaN },
      { patienceMs: -1 },
      { existing: 'skip' },
      { state: {} },
      { keys: 5 },
      { onProgress: 5 },
      { rate: 5 },
    ]
    for (const options of wrong)
      await expect(migrate(from, to, { keys, ...options }), JSON.stringify(options)).rejects.toMatchObject(invalid)
    const texts: readonly string[] = [
      '',
      '{',
      '{"form":2}',
      '{"form":1,"of":"x","cursor":"","pending":[],"counts":{"notMoved":{}}}',
    ]
    for (const text of texts)
      await expect(migrate(from, to, { keys, state: stateIn({ text }) }), text).rejects.toMatchObject(invalid)
    await expect(migrate(undefined as unknown as AtomicStore, to)).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    await expect(migrate(from, undefined as unknown as AtomicStore, { keys })).rejects.toMatchObject(invalid)
  })

  it('bounds its rate', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    const keys = keysOf(300)
    for (const key of keys) await from.set(key, 'x'.repeat(100))
    const seen: number[] = []
    let signal = new AbortController()
    const slow = (options: object): Promise<unknown> =>
      migrate(from, to, { keys, signal: signal.signal, onProgress: ({ copied }) => seen.push(copied), ...options })
    for (const options of [{ keysPerSecond: 1 }, { bytesPerSecond: 1 }]) {
      signal = new AbortController()
      const run = slow(options)
      const outcome = run.catch((error: unknown) => error)
      await expect.poll(async () => (await to.getMany(keys)).filter(Boolean).length).toBe(100)
      signal.abort('enough')
      expect(await outcome).toBe('enough')
      expect((await to.getMany(keys)).filter(Boolean).length).toBe(100)
      await to.delete(keys)
    }
  })
})

describe('a dual store', () => {
  it('writes to both and reads from the one that decides', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    const dual = dualStore(from, to)
    await from.set('old', '1')
    await to.set('stale', '2')
    expect(await dual.getMany(['old', 'stale'])).toEqual(['1', undefined])
    await dual.set('a', 'x', 60_000)
    await dual.setBytes?.('b', new Uint8Array([255]))
    expect(await dual.run(addToCount, 'n', [5, 0])).toBe(5)
    expect([await from.get('a'), await to.get('a'), await to.getBytes?.('b'), await to.get('n')]).toEqual([
      'x',
      'x',
      new Uint8Array([255]),
      '5',
    ])
    expect(await dual.delete(['a', 'b', 'none'])).toBe(2)
    expect(await to.getMany(['a', 'b'])).toEqual([undefined, undefined])
  })

  it('goes on without the other store, and catches up', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    const broken = brokenStore(undefined, { store: to })
    const events: string[] = []
    const dual = dualStore(from, broken, { onEvent: ({ type }) => events.push(type) })
    await dual.set('a', '1')
    await dual.set('b', '1')
    broken.fault = 'down'
    await dual.set('a', '2')
    expect(await dual.delete(['b'])).toBe(1)
    expect([await dual.get('a'), await to.get('a'), dual.pending, events]).toEqual(['2', '1', 2, ['behind']])
    await expect(dual.sync()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    broken.fault = undefined
    await dual.sync()
    expect([await to.get('a'), await to.get('b'), dual.pending]).toEqual(['2', undefined, 0])
  })

  it('waits for a store that hangs no longer than it is told', async () => {
    const from = memoryStore()
    const dual = dualStore(from, brokenStore('hangs', { store: memoryStore() }), { mirrorTimeoutMs: 20 })
    await dual.set('a', '1')
    expect([dual.pending, await dual.get('a')]).toEqual([1, '1'])
  })

  it('remembers a write that may have run although it failed', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    const lost = over(from, {
      async set(key, value, ttlMs, call) {
        await from.set(key, value, ttlMs, call)
        throw new HitherError('STORE_UNAVAILABLE', 'the reply was lost', { maybeExecuted: true })
      },
    })
    const dual = dualStore(lost, to)
    await expect(dual.set('a', '1')).rejects.toMatchObject({ maybeExecuted: true })
    await dual.sync()
    expect(await to.get('a')).toBe('1')
  })

  it('decides by the new store after the move, and reads through to the old one', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    const dual = dualStore(from, to, { reads: 'to' })
    await from.set('old', '7', 60_000)
    await from.set('count', '7')
    await Promise.all([from.set('both', 'old'), to.set('both', 'new')])
    expect(await dual.getMany(['old', 'both', 'none', 'old'])).toEqual(['7', 'new', undefined, '7'])
    expect([await dual.get('old'), await dual.getBytes?.('old')]).toEqual(['7', new TextEncoder().encode('7')])
    expect(await dual.run(addToCount, 'count', [1, 0])).toBe(8)
    expect([await from.get('count'), await to.get('count')]).toEqual(['8', '8'])
    expect(await dual.delete(['old'])).toBe(1)
    expect(await dual.get('old')).toBeUndefined()
  })

  it('rejects there when the old store misses a write, which would be read again', async () => {
    const from = brokenStore(undefined, { store: memoryStore() })
    const dual = dualStore(from, memoryStore(), { reads: 'to' })
    await dual.set('a', '1')
    from.fault = 'down'
    await expect(dual.set('a', '2')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: true })
    await expect(dual.delete(['a'])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await expect(dual.get('other')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  })

  it('says of a delete that has run in the old store alone that it may have run, and copies its key back', async () => {
    const from = memoryStore()
    const to = brokenStore(undefined, { store: memoryStore() })
    const dual = dualStore(from, to, { reads: 'to' })
    await dual.set('a', '1')
    to.fault = 'down'
    await expect(dual.delete(['a'])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: true })
    expect(await from.get('a')).toBeUndefined()
    to.fault = undefined
    await dual.sync()
    expect([await from.get('a'), await dual.get('a')]).toEqual(['1', '1'])

    const old = brokenStore('down', { store: from })
    const other = dualStore(old, memoryStore(), { reads: 'to' })
    await expect(other.delete(['a'])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: false })
  })

  it('rejects no write of a key that both have for a pending key of another node', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    let isDown = true
    const cluster = over(from, {
      async set(key, ...rest) {
        if (isDown && key === 'down') throw new HitherError('STORE_UNAVAILABLE', 'not connected')
        await from.set(key, ...rest)
      },
    })
    const events: string[] = []
    const dual = dualStore(cluster, to, { reads: 'to', onEvent: ({ type }) => events.push(type) })
    await expect(dual.set('down', '1')).rejects.toMatchObject({ maybeExecuted: true })
    await dual.set('up', '1')
    expect([await from.get('up'), await to.get('up'), dual.pending, events]).toEqual([
      '1',
      '1',
      1,
      ['behind', 'behind'],
    ])
    isDown = false
    await dual.set('up', '2')
    expect([await from.get('down'), dual.pending, events.at(-1)]).toEqual(['1', 0, 'caught-up'])
  })

  it('does not bring a key to the new store that was deleted meanwhile', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    await from.set('n', '7')
    const late = over(to, {
      async run(operation, key, args, call?: Call) {
        if (operation.name === 'migrate.add') await from.delete([key])
        return to.run(operation, key, args, call)
      },
    })
    expect(await dualStore(from, late, { reads: 'to' }).run(addToCount, 'n', [1, 0])).toBe(1)
  })

  it('gives what an operation removes to one caller, also before the old store lacks it', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    const token = await createTokens({ store: dualStore(from, to), name: 't', ttl: '1h' }).issue('data')
    const other = createTokens({ store: dualStore(from, to, { reads: 'to' }), name: 't', ttl: '1h' })
    let second: unknown = 'not called'
    const late = over(to, {
      async run(operation, key, args, call?: Call) {
        const reply = await to.run(operation, key, args, call)
        if (operation === (takeToken as object)) second = await other.consume(token)
        return reply
      },
    })
    const tokens = createTokens({ store: dualStore(from, late, { reads: 'to' }), name: 't', ttl: '1h' })
    expect([await tokens.consume(token), second]).toEqual(['data', undefined])
  })

  it('brings back to the old store what an operation that failed has left in the new one', async () => {
    const [from, to] = [memoryStore(), brokenStore(undefined, { store: memoryStore() })]
    const late = over(from, {
      async delete(keys, call) {
        to.fault = 'down'
        return from.delete(keys, call)
      },
    })
    const dual = dualStore(late, to, { reads: 'to' })
    await dual.set('n', '7')
    const refused = { code: 'STORE_UNAVAILABLE', maybeExecuted: false }
    await expect(dual.run(takeToken, 'n', [])).rejects.toMatchObject(refused)
    to.fault = undefined
    await dual.sync()
    expect([await from.get('n'), await to.get('n')]).toEqual(['7', '7'])
  })

  it('keeps what only the old store has when a write of it may have run and has not', async () => {
    const [from, to] = [memoryStore(), brokenStore(undefined, { store: memoryStore() })]
    await from.set('n', '7')
    const silent = over(to, {
      async set() {
        throw new HitherError('TIMEOUT', 'no reply', { maybeExecuted: true })
      },
    })
    const dual = dualStore(from, silent, { reads: 'to' })
    await expect(dual.set('n', '8')).rejects.toMatchObject({ code: 'TIMEOUT' })
    to.fault = 'down'
    await expect(dual.sync()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    to.fault = undefined
    await dual.sync()
    expect([await from.get('n'), await to.get('n'), dual.pending]).toEqual(['7', '7', 0])
  })

  it('brings nothing back that a later call has released', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    let isSilent = false
    const silent = over(to, {
      async run(operation, key, args, call?: Call) {
        if (!isSilent || !operation.name.startsWith('idempotency')) return to.run(operation, key, args, call)
        isSilent = false
        throw new HitherError('TIMEOUT', 'no reply', { maybeExecuted: true })
      },
    })
    const dual = dualStore(from, silent, { reads: 'to' })
    const begin = (holder: string) => dual.run(idempotencyStep, 'k', ['begin', holder, 'f'.repeat(43), 60_000, 60_000])
    const release = () => dual.run(idempotencyStep, 'k', ['release', 'a'.repeat(16)])
    expect(await begin('a'.repeat(16))).toBe(1)
    isSilent = true
    await expect(release()).rejects.toMatchObject({ code: 'TIMEOUT' })
    expect([await release(), await from.get('k'), await to.get('k')]).toEqual([1, undefined, undefined])
    expect(await begin('b'.repeat(16))).toBe(1)
  })

  it('keeps what only the old store has and the new one cannot hold when a write of it has failed', async () => {
    const [from, to] = [memoryStore(), brokenStore('down', { store: memoryStore() })]
    const bytes = new Uint8Array([0, 255])
    await from.setBytes?.('b', bytes)
    const dual = dualStore(from, over(to, { set: () => Promise.reject(new Error('left')) }), { reads: 'to' })
    await expect(dual.set('b', '8')).rejects.toThrow('left')
    expect(dual.pending).toBe(1)
    to.fault = undefined
    await dual.sync()
    expect([await from.getBytes?.('b'), dual.pending]).toEqual([bytes, 0])
  })

  it('remembers no key that no store takes', async () => {
    const dual = dualStore(memoryStore(), memoryStore(), { reads: 'to' })
    await expect(dual.set('', '1')).rejects.toMatchObject({ code: 'INVALID_KEY' })
    await expect(dual.run(takeToken, 'l'.repeat(2000), [])).rejects.toMatchObject({ code: 'INVALID_KEY' })
    expect(dual.pending).toBe(0)
  })

  it('leaves a key where programs that read the old store find it while an operation that keeps it runs', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    const deleted: string[] = []
    const old = over(from, {
      async delete(keys, call) {
        deleted.push(...keys)
        return from.delete(keys, call)
      },
    })
    const store = dualStore(old, to, { reads: 'to' })
    await store.set('n', '7')
    await store.run(addToCount, 'n', [1, 0])
    const attempt = await createIdempotency({ store }).begin('k', { scope: 's', fingerprint: 'f' })
    if (attempt.outcome === 'first') await attempt.complete('done')
    const cache = createCache({ store, namespace: 'c', ttl: '1h' })
    await cache.set('n', 1)
    await cache.increment('n')
    expect(deleted).toEqual([])
    expect([await cache.take('n'), deleted.includes('c:n')]).toEqual([2, true])
  })

  it('reads and deletes the keys that it was given, also where the array of keys changes meanwhile', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    const dual = dualStore(from, to, { reads: 'to' })
    await Promise.all([from.set('a', '1'), from.set('b', '2')])
    const changed = <R>(call: (keys: readonly string[]) => Promise<R>): Promise<R> => {
      const keys = ['a', 'none']
      const result = call(keys)
      keys[0] = 'b'
      return result
    }
    expect(await changed(dual.getMany)).toEqual(['1', undefined])
    await dual.set('a', '1')
    expect([await changed(dual.delete), await dual.get('a'), await dual.get('b')]).toEqual([1, undefined, '2'])
  })

  it('remembers a write whose caller has left', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    const caller = new AbortController()
    const slow = over(from, {
      async set(key, value, ttlMs) {
        await from.set(key, value, ttlMs)
        caller.abort()
        throw caller.signal.reason
      },
    })
    const dual = dualStore(slow, to)
    await expect(dual.set('a', '1', undefined, { signal: caller.signal })).rejects.toMatchObject({ name: 'AbortError' })
    await dual.sync()
    expect(await to.get('a')).toBe('1')
  })

  it('serves a cache while migrate runs: every value ends in the new store', async () => {
    const [from, to] = [memoryStore(), memoryStore()]
    const old = createCache({ store: from, namespace: 'c', ttl: '1h' })
    for (let i = 0; i < 200; i++) await old.set(`${i}`, i, { tags: ['all'] })
    const cache = createCache({ store: dualStore(from, to), namespace: 'c', ttl: '1h' })
    const keys = [':c:g', ':c:t:all', ...Array.from({ length: 200 }, (_, i) => `c:${i}`)]
    const moving = migrate(from, to, { keys })
    for (let i = 0; i < 200; i += 2) await (i % 4 ? cache.delete(`${i}`) : cache.set(`${i}`, -i, { tags: ['all'] }))
    await moving
    const moved = createCache({ store: to, namespace: 'c', ttl: '1h' })
    for (let i = 0; i < 200; i++) {
      expect(await moved.get(`${i}`, { tags: ['all'] })).toBe(i % 2 ? i : i % 4 ? undefined : -i)
    }
    await cache.invalidateTags(['all'])
    expect(await moved.get('1', { tags: ['all'] })).toBeUndefined()
  })

  it('refuses what makes no sense', () => {
    const [from, to] = [memoryStore(), memoryStore()]
    const { run: _, ...plain } = memoryStore()
    expect(() => dualStore(from, from)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    expect(() => dualStore(from, to, { reads: 'both' as 'to' })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    )
    expect(() => dualStore(from, to, { mirrorTimeoutMs: 0 })).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    )
    expect(() => dualStore(from, plain as AtomicStore, { reads: 'to' })).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED' }),
    )
    expect(() => dualStore(from, undefined as unknown as AtomicStore)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    )
    expect(dualStore(from, plain).name).toBe('dual')
  })
})
