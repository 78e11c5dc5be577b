import { type AtomicStore, HitherError } from 'hither'
import { createCounter } from 'hither/counter'
import { memoryStore } from 'hither/memory'
import { describe, expect, it } from 'vitest'
import { addToCount, addToWindow } from '../../../src/counter/operations.ts'

const code = (code: string) => expect.objectContaining({ code })

/** A counter on a clock that the test moves, and the key it stores under. */
function counterOf(options: Partial<Parameters<typeof createCounter>[0]>, startMs = 1_795_000_000_000) {
  const clock = { atMs: startMs }
  const inner = memoryStore({ now: () => clock.atMs })
  const keys: string[] = []
  const run: AtomicStore['run'] = (operation, key, args, call) => {
    keys.push(key)
    return inner.run(operation, key, args, call)
  }
  const store = { ...inner, run }
  return { clock, keys, store, counter: createCounter({ store, name: 'n', ...options }) }
}

describe('a counter', () => {
  it('is replied in digits from 16 of them on, which a client may round as a number', () => {
    const at = { nowUs: 1_795_000_000_000_000, leftMs: undefined }
    const window = `29916666 999999999999998;`
    for (const [by, count] of [
      [1, 999_999_999_999_999],
      [2, '1000000000000000'],
    ] as const) {
      expect(addToCount.apply('999999999999998', [by, 0], at).reply).toBe(count)
      expect(addToCount.apply('-999999999999998', [-by, 0], at).reply).toBe(
        typeof count === 'number' ? -count : `-${count}`,
      )
      expect(addToWindow.apply(window, [by, '', '', 60_000_000, 60, 0], at).reply).toBe(count)
    }
  })

  it('takes no option that makes no sense', () => {
    const store = memoryStore()
    const good = { store, name: 'n' }
    for (const bad of [
      { ...good, max: 1.5 },
      { ...good, min: Number.NaN },
      { ...good, min: 2, max: 1 },
      { ...good, buckets: 6 },
      { ...good, window: '1m', buckets: 0 },
      { ...good, window: '1m', buckets: 1001 },
      { ...good, window: '1h', ttl: '1m' },
      { ...good, other: 1 },
      [good],
      null,
    ])
      expect(() => createCounter(bad as never)).toThrow(code('INVALID_ARGUMENT'))
    for (const bad of [
      { ...good, ttl: 0 },
      { ...good, ttl: '1 year' },
      { ...good, window: 0 },
    ])
      expect(() => createCounter(bad as never)).toThrow(code('INVALID_DURATION'))
    for (const bad of [{ store }, { ...good, name: 'a:b' }, { ...good, namespace: '' }])
      expect(() => createCounter(bad as never)).toThrow(code('INVALID_KEY'))
    for (const bad of [{ name: 'n' }, { ...good, store: Promise.resolve(store) }, undefined])
      expect(() => createCounter(bad as never)).toThrow(code('UNSUPPORTED'))
  })
  it('takes no key that is none, and no part of one', async () => {
    const { counter } = counterOf({})
    for (const key of ['', 7, undefined, null]) {
      await expect(counter.increment(key as string)).rejects.toEqual(code('INVALID_KEY'))
      await expect(counter.get(key as string)).rejects.toEqual(code('INVALID_KEY'))
    }
    for (const by of [0.5, Number.NaN, '1', 2 ** 53, null]) {
      await expect(counter.increment('k', by as number)).rejects.toEqual(code('INVALID_ARGUMENT'))
      await expect(counter.decrement('k', by as number)).rejects.toEqual(code('INVALID_ARGUMENT'))
    }
    for (const keys of ['ab', null, undefined, {}])
      await expect(counter.getMany(keys as never)).rejects.toEqual(code('INVALID_ARGUMENT'))
  })
  it('stores where no key of a cache is', async () => {
    const { counter, keys } = counterOf({ namespace: 'shop' })
    await counter.increment('k')
    expect(keys).toEqual([':shop:counter:n:k'])
    const windowed = counterOf({ namespace: 'shop', window: '1m', buckets: 6 })
    await windowed.counter.increment('k')
    expect(windowed.keys).toEqual([':shop:window:n-60000-6:k'])
  })
  it('keeps the end of its first count', async () => {
    const { clock, counter } = counterOf({ ttl: '1m' })
    await counter.increment('k')
    clock.atMs += 59_999
    expect(await counter.increment('k')).toBe(2)
    clock.atMs += 1
    expect(await counter.increment('k')).toBe(1)
    const lasting = counterOf({})
    await lasting.counter.increment('k')
    lasting.clock.atMs += 1e12
    expect(await lasting.counter.increment('k')).toBe(2)
  })
  it('counts nothing past its bounds, and back from beyond them', async () => {
    const { counter, store } = counterOf({ max: 3, min: -3 })
    expect([await counter.increment('k', 4), await counter.increment('k', 3), await counter.increment('k')]).toEqual([
      undefined,
      3,
      undefined,
    ])
    const lower = createCounter({ store, name: 'n', max: 1 })
    expect([await lower.increment('k'), await lower.decrement('k'), await lower.increment('k', 0)]).toEqual([
      undefined,
      2,
      2,
    ])
    expect([await counter.decrement('k', 5), await counter.decrement('k')]).toEqual([-3, undefined])
    expect([await counter.increment('k', -1), await counter.get('k')]).toEqual([undefined, -3])
    const large = counterOf({}).counter
    await large.increment('k', Number.MAX_SAFE_INTEGER)
    await expect(large.increment('k')).rejects.toEqual(code('OVERFLOW'))
    expect(await large.get('k')).toBe(Number.MAX_SAFE_INTEGER)
    await expect(counterOf({}).counter.increment('k', -Number.MAX_SAFE_INTEGER)).resolves.toBe(-Number.MAX_SAFE_INTEGER)
  })
  it('counts a window exactly but for its last part', async () => {
    const { clock, counter } = counterOf({ window: '1m', buckets: 6, max: 10 })
    const at = clock.atMs - (clock.atMs % 10_000)
    clock.atMs = at + 9_999
    expect(await counter.increment('k', 4)).toBe(4)
    clock.atMs = at + 10_000
    expect(await counter.increment('k', 5)).toBe(9)
    // An increment counts for the length of the window after it, and for what was left of its bucket: the 4 until `at` + 70 s.
    clock.atMs = at + 69_999
    expect([await counter.total('k'), await counter.increment('k', 2)]).toEqual([9, undefined])
    clock.atMs = at + 70_000
    expect([await counter.total('k'), await counter.increment('k', 5)]).toEqual([5, 10])
    clock.atMs = at + 80_000
    expect(await counter.total('k')).toBe(5)
    clock.atMs = at + 140_000
    expect(await counter.total('k')).toBe(0)
  })
  it('keeps counting in the newest part where the clock goes back', async () => {
    const { clock, counter } = counterOf({ window: '1m', buckets: 6 })
    await counter.increment('k')
    clock.atMs -= 3_600_000
    expect([await counter.increment('k'), await counter.total('k')]).toEqual([2, 2])
    clock.atMs += 3_600_000
    expect(await counter.total('k')).toBe(2)
  })
  it('counts what it has not written as nothing', async () => {
    for (const text of ['', 'x', '1.5', ' 5', '99999999999999999', '5\n']) {
      const { counter, store } = counterOf({ ttl: '1m' })
      await store.set(':counter:counter:n:k', text)
      expect([text, await counter.get('k'), await counter.increment('k')]).toEqual([text, 0, 1])
    }
    const bucket = Math.floor(1_795_000_000_000 / 10_000)
    for (const text of [
      '',
      'x',
      `${bucket} 5`,
      `${bucket} 99999999999999999;`,
      `${bucket} 5;`.repeat(40),
      `x${bucket} 5;`,
    ]) {
      const { counter, store } = counterOf({ window: '1m', buckets: 6 })
      await store.set(':counter:window:n-60000-6:k', text)
      expect([text, await counter.total('k'), await counter.increment('k')]).toEqual([text, 0, 1])
    }
  })
  it('says when an increment may have run', async () => {
    const { store } = counterOf({})
    const lost = new HitherError('STORE_UNAVAILABLE', 'lost', { maybeExecuted: true })
    const failing = { ...store, run: () => Promise.reject(lost) } as AtomicStore
    await expect(createCounter({ store: failing, name: 'n' }).increment('k')).rejects.toBe(lost)
  })
})
