import { describe, expect, it, vi } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { plain as plainFormat } from '../../../src/cache/parts/format-plain.ts'
import { type AtomicStore, createCache, HitherError } from '../../../src/index.ts'
import { nearTier } from '../../../src/near/index.ts'
import { pause } from './slow-store.ts'

type Method = 'get' | 'set' | 'delete' | 'run'
/**
 * What becomes of a call. `away`: it fails. A promise: it is carried out at once, and returns when the promise has settled.
 * `after`: it is carried out only when that promise has settled.
 */
type How = 'away' | Promise<unknown> | { readonly after: Promise<unknown> }

/** Two processes on one store. `next` lists what becomes of the next calls of the first process, by method. */
function two() {
  const memory = memoryStore()
  const next: Record<Method, How[]> = { get: [], set: [], delete: [], run: [] }
  const state = { away: false }
  const as = async <T>(method: Method, call: () => Promise<T>): Promise<T> => {
    const how = next[method].shift()
    if (state.away || how === 'away') throw unavailable()
    if (how && 'after' in how) await how.after
    const answer = await call()
    await how
    return answer
  }
  const store: AtomicStore = {
    ...memory,
    get: (...args) => as('get', () => memory.get(...args)),
    set: (...args) => as('set', () => memory.set(...args)),
    delete: (...args) => as('delete', () => memory.delete(...args)),
    run: (...args) => as('run', () => memory.run(...args)),
  }
  const near = () => nearTier({ maxAge: '1m' })
  return {
    memory,
    next,
    state,
    cache: () => createCache({ store, near: near(), ttl: '5m', grace: '1h' }),
    plain: () => createCache({ store, near: near(), ttl: '5m', format: plainFormat() }),
    other: createCache({ store: memory, ttl: '5m', grace: '1h' }),
  }
}

const unavailable = () => new HitherError('STORE_UNAVAILABLE', 'away', { retryable: true })
const door = () => Promise.withResolvers<void>()
const lateDelete = async (cache: { delete(key: string): Promise<unknown> }): Promise<void> => {
  await expect(async () => await cache.delete('k')).rejects.toThrow('away')
}

describe('a delete that is made good', () => {
  it('leaves what this process writes meanwhile', async () => {
    const { next, cache: make, other } = two()
    const cache = make()
    await other.set('k', 'old')
    next.delete.push('away')
    await lateDelete(cache)
    const { promise, resolve } = door()
    next.run.push(promise)
    await cache.get('any')
    await cache.set('k', 'new')
    resolve()
    await cache.flush()
    expect([await cache.get('k'), await other.get('k')]).toEqual(['new', 'new'])
  })
  it('leaves what is written before it arrives once more', async () => {
    const { memory, next, cache: make, other } = two()
    const cache = make()
    await other.set('k', 'old')
    next.delete.push('away')
    await lateDelete(cache)
    const late = vi.spyOn(memory, 'run')
    await cache.get('any')
    await cache.flush()
    const sent = late.mock.calls.find(([, , args]) => args[0] === 'bury')
    expect(await other.get('k')).toBeUndefined()
    await cache.set('k', 'new')
    // The retried delete runs again, as when its reply was lost or the write overtook it. It must delete nothing.
    if (sent) expect(await memory.run(...sent)).toBe(0)
    expect([sent?.[2].length, await cache.get('k'), await other.get('k')]).toEqual([3, 'new', 'new'])
  })
  it('gives a lease back, of a load that began before', async () => {
    const { next, cache: make, other } = two()
    const cache = make()
    const loaded = door()
    const loading = other.getOrSet('k', () => loaded.promise.then(() => 'old'))
    await pause(1)
    next.delete.push('away')
    await lateDelete(cache)
    await cache.get('any')
    await cache.flush()
    loaded.resolve()
    expect(await loading).toBe('old')
    await other.flush()
    expect(await other.get('k')).toBeUndefined()
  })
  it('looks once more where that load came first', async () => {
    const { next, cache: make, other } = two()
    const cache = make()
    const loaded = door()
    const loading = other.getOrSet('k', () => loaded.promise.then(() => 'old'))
    await pause(1)
    next.delete.push('away')
    await lateDelete(cache)
    const stored = door()
    next.run.push({ after: stored.promise })
    const reading = cache.get('k')
    await pause(1)
    loaded.resolve()
    await loading
    await other.flush()
    expect(await other.get('k')).toBe('old')
    stored.resolve()
    expect(await reading).toBeUndefined()
    await cache.flush()
    expect(await other.get('k')).toBeUndefined()
  })
  it('is none where a write that was sent after it has arrived', async () => {
    const { next, cache: make, other } = two()
    const cache = make()
    await other.set('k', 'old')
    const { promise, reject } = door()
    next.delete.push(promise)
    const deleting = lateDelete(cache)
    await cache.set('k', 'new')
    reject(unavailable())
    await deleting
    await cache.get('any')
    await cache.flush()
    expect([await cache.get('k'), await other.get('k')]).toEqual(['new', 'new'])
  })
  it('is waited for by a write of a plain key', async () => {
    const { memory, next, plain } = two()
    const cache = plain()
    next.delete.push('away')
    await lateDelete(cache)
    const { promise, resolve } = door()
    next.delete.push({ after: promise })
    const reading = cache.get('k')
    await pause(1)
    const written = cache.set('k', 'new')
    await pause(1)
    resolve()
    await Promise.all([written, reading])
    expect([await cache.get('k'), await memory.get('k')]).toEqual(['new', '"new"'])
  })
  it('is tried once a second at the most for nobody in particular', async () => {
    const { next, cache: make, other } = two()
    const cache = make()
    await other.set('k', 'old')
    next.delete.push('away')
    await lateDelete(cache)
    next.run.push(...Array<How>(10).fill('away'))
    for (let i = 0; i < 5; i++) {
      await cache.get('any')
      await cache.flush()
    }
    expect(next.run.length).toBe(9)
  })
  it('is over where a value of another type is', async () => {
    const { memory, next, cache: make } = two()
    const cache = make()
    await memory.set('hither:k', 'of another program')
    next.delete.push('away')
    await lateDelete(cache)
    next.run.push('away')
    expect(await cache.get('k')).toBeUndefined()
    await cache.flush()
    expect(next.run.length).toBe(1)
  })
  it('leaves what is written and not answered yet', async () => {
    const { next, cache: make, other } = two()
    const cache = make()
    await cache.capture([])
    next.delete.push('away')
    await lateDelete(cache)
    const { promise, resolve } = door()
    // The read of the versions, which goes first, and the write.
    next.run.push(promise, promise)
    const written = cache.set('k', 'new')
    await pause(1)
    expect(await other.get('k')).toBe('new')
    await cache.get('any')
    await pause(1)
    resolve()
    await written
    expect([await cache.get('k'), await other.get('k')]).toEqual(['new', 'new'])
  })
  it('leaves what is written while it looks for what to delete', async () => {
    const { next, cache: make, other } = two()
    const cache = make()
    await other.set('k', 'old')
    next.delete.push('away')
    await lateDelete(cache)
    const { promise, resolve } = door()
    next.get.push({ after: promise })
    const reading = cache.get('k')
    await cache.set('k', 'new')
    resolve()
    await reading
    await cache.flush()
    expect([await cache.get('k'), await other.get('k')]).toEqual(['new', 'new'])
  })
  it('is not given up for a write that was sent before it failed', async () => {
    const { next, cache: make, other } = two()
    const cache = make()
    await cache.get('k')
    await cache.capture([])
    const { promise, resolve } = door()
    // The read of the versions, which goes first, and the write.
    next.run.push(promise, promise)
    const written = cache.set('k', 'old')
    await pause(1)
    expect(await other.get('k')).toBe('old')
    next.delete.push('away')
    await lateDelete(cache)
    resolve()
    await written
    expect(await cache.get('k')).toBeUndefined()
  })
  it('is not given up for an expire, which leaves a copy', async () => {
    const { next, cache: make, other } = two()
    const cache = make()
    await other.set('k', 'old')
    next.delete.push('away')
    await lateDelete(cache)
    await cache.expire('k')
    const fail = () => Promise.reject(new Error('down'))
    await expect(async () => await cache.getOrSet('k', fail)).rejects.toThrow('down')
  })
  it('hides the key from a read though it fails once more', async () => {
    const { next, cache: make, other } = two()
    const cache = make()
    await other.set('k', 'old')
    next.delete.push('away')
    await lateDelete(cache)
    next.run.push('away')
    expect(await cache.get('k')).toBeUndefined()
    await cache.get('any')
    await cache.flush()
    expect(await other.get('k')).toBeUndefined()
  })
  it('hides the key from a read that has waited for an earlier one', async () => {
    const { next, cache: make, other } = two()
    const cache = make()
    await other.set('k', 'old')
    next.delete.push('away')
    await lateDelete(cache)
    const { promise, resolve } = door()
    next.run.push(promise)
    next.delete.push('away')
    const reading = cache.get('k')
    await pause(1)
    await other.set('k', 'second')
    await lateDelete(cache)
    resolve()
    await reading
    expect(await cache.get('k')).toBeUndefined()
  })
  it('fails no call that has ended before its turn, on a plain key', async () => {
    const { next, plain } = two()
    const cache = plain()
    const unhandled: unknown[] = []
    const note = (error: unknown) => void unhandled.push(error)
    process.on('unhandledRejection', note)
    next.delete.push('away')
    await lateDelete(cache)
    const { promise, reject } = door()
    next.set.push(promise)
    const written = cache.set('k', 1)
    next.delete.push('away', 'away')
    const deadline = Date.now() + 5
    await expect(async () => await cache.take('k', { deadline })).rejects.toMatchObject({ code: 'TIMEOUT' })
    reject(unavailable())
    await expect(written).rejects.toThrow('away')
    await pause(1)
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
  })
})

describe('a write whose failure is an event', () => {
  it('is not kept near where its tag has been invalidated since it was captured', async () => {
    const { state, cache: make } = two()
    const cache = make()
    for (const end of [() => cache.invalidateTags(['t']), () => cache.clear()]) {
      const tags = await cache.capture(['t'])
      await end()
      state.away = true
      await cache.set('k', 'old', { tags, onWriteFailure: 'event' })
      expect(cache.peek('k')).toBeUndefined()
      state.away = false
    }
    const tags = await cache.capture(['t'])
    state.away = true
    await cache.set('k', 'kept', { tags, onWriteFailure: 'event' })
    expect(cache.peek('k')).toBe('kept')
  })
  it('stays near when a plain entry is looked at', async () => {
    const { memory, state, plain } = two()
    const cache = plain()
    await memory.set('k', '"old"', undefined)
    state.away = true
    await cache.set('k', 'kept', { onWriteFailure: 'event' })
    state.away = false
    await cache.getEntry('k')
    expect(await cache.get('k')).toBe('kept')
  })
})

describe('a load of a plain key that begins while a write is on its way', () => {
  it('is waited for by a write that comes after one which has given up waiting', async () => {
    const { memory, next, plain } = two()
    const cache = plain()
    const { promise, resolve } = door()
    next.set.push({ after: promise })
    const loading = cache.getOrSet('k', () => 'loaded')
    await expect.poll(() => next.set.length).toBe(0)
    const leaves = new AbortController()
    const deleting = cache.delete('k', { signal: leaves.signal })
    await pause(1)
    leaves.abort(new Error('gone'))
    await expect(async () => await deleting).rejects.toThrow('gone')
    const written = cache.set('k', 'new')
    await pause(1)
    resolve()
    await Promise.all([written, loading])
    expect([await cache.get('k'), await memory.get('k')]).toEqual(['new', '"new"'])
  })
  it('does not replace what was written', async () => {
    const { memory, next, plain } = two()
    const cache = plain()
    const [read, written] = [door(), door()]
    next.get.push(read.promise)
    next.set.push(written.promise)
    const loading = cache.getOrSet('k', () => 'loaded')
    const writing = cache.set('k', 'written')
    read.resolve()
    await pause(1)
    written.resolve()
    await writing
    expect(await loading).toBe('loaded')
    expect([await cache.get('k'), await memory.get('k')]).toEqual(['written', '"written"'])
  })
  it('nor does one that every caller has left, and another has followed', async () => {
    const { memory, next, plain } = two()
    const cache = plain()
    const [first, second, written] = [door(), door(), door()]
    const stop = new AbortController()
    next.get.push(first.promise, second.promise)
    next.set.push(written.promise)
    const left = cache.getOrSet('k', () => 'left', { signal: stop.signal })
    await pause(1)
    const later = cache.getOrSet('k', () => 'later')
    const writing = cache.set('k', 'written')
    first.resolve()
    await pause(1)
    stop.abort(new Error('left'))
    await expect(left).rejects.toThrow('left')
    second.resolve()
    await pause(1)
    written.resolve()
    await writing
    await later
    expect([await cache.get('k'), await memory.get('k')]).toEqual(['written', '"written"'])
  })
})
