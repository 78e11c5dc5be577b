import { beforeEach, describe, expect, it, vi } from 'vitest'
import { createLocks, type Lock, type Locks, type LocksOptions } from '../../../src/lock/index.ts'
import { code, down, held, START, type TestStore, TTL, testStore, useClock } from './support.ts'

// Locks over a store in memory and a fake clock: acquiring and releasing, fencing tokens, when a lock counts as lost, renewal,
// `extend`, waiting, `run`, semaphores, readers and a writer, and bad input.

const clock = useClock()
const { pass, block } = clock
let store: TestStore
beforeEach(() => {
  store = testStore()
})
const make = (options: Partial<LocksOptions> = {}): Locks =>
  createLocks({ store, namespace: 'shop', ttl: TTL, ...options })

describe('acquire and release', () => {
  it('hold for one at a time, in two commands', async () => {
    const locks = make()
    const lock = await held(locks.acquire('report'))
    expect(await locks.acquire('report')).toBeUndefined()
    expect(await make({ namespace: 'other' }).acquire('report')).toBeDefined()
    expect(await locks.acquire('other')).toBeDefined()
    store.verbs.length = 0
    expect(await lock.release()).toBe(true)
    await held(locks.acquire('report'))
    expect(store.verbs).toEqual(['free', 'take'])
  })
  it('a second release is false and sends nothing', async () => {
    const locks = make()
    const lock = await held(locks.acquire('report'))
    const both = await Promise.all([lock.release(), lock.release()])
    expect([...both, await lock.release()]).toEqual([true, false, false])
    expect(store.verbs).toEqual(['take', 'free'])
  })
  it('a late release leaves the next holder alone, and so does a late extension', async () => {
    const locks = make()
    const first = await held(locks.acquire('report', { renew: false }))
    block(TTL + 2)
    const second = await held(locks.acquire('report'))
    expect(await first.extend()).toBe(false)
    expect(await first.release()).toBe(false)
    expect(await locks.acquire('report')).toBeUndefined()
    second.assertHeld()
    expect(await second.extend()).toBe(true)
    expect(await second.release()).toBe(true)
  })
  it('a lease ends at the store no earlier than for its holder', async () => {
    const locks = make()
    clock.ahead += 0.9
    const first = await held(locks.acquire('report', { renew: false, ttl: 10 }))
    block(10)
    expect(first.signal.aborted).toBe(true)
    expect(await locks.acquire('report')).toBeUndefined()
    block(1)
    await held(locks.acquire('report'))
  })
  it('a release whose reply was lost is found done', async () => {
    const locks = make()
    const lock = await held(locks.acquire('report'))
    const { run } = store
    store.run = async (...args) => {
      await run(...args)
      return run(...args)
    }
    expect(await lock.release()).toBe(true)
  })
  it('an acquisition whose reply was lost recognises itself', async () => {
    const { run } = store
    const replies: unknown[] = []
    store.run = async (...args) => {
      replies.push(await run(...args))
      return run(...args)
    }
    const lock = await held(make().acquire('report'))
    expect(lock.token).toBe(replies[0])
  })
  it('an acquisition that arrives after its own release takes nothing', async () => {
    const locks = make()
    const late: (() => Promise<unknown>)[] = []
    const { run } = store
    store.run = async (...args) => {
      if (args[2][0] === 'take') late.push(() => run(...args))
      return run(...args)
    }
    await (await held(locks.acquire('report'))).release()
    for (const again of late) expect(await again()).toBe(0)
    await held(locks.acquire('report'))
  })
  it('an extension that arrives late shortens no lease, and revives none', async () => {
    const locks = make()
    const lock = await held(locks.acquire('report', { renew: false }))
    const late: (() => Promise<unknown>)[] = []
    const { run } = store
    store.run = async (...args) => {
      if (args[2][0] === 'keep') late.push(() => run(...args))
      return run(...args)
    }
    await lock.extend(10)
    await lock.extend('2m')
    await late[0]?.()
    block(TTL * 2)
    expect(await locks.acquire('report')).toBeUndefined()
    await lock.release()
    expect(late).toHaveLength(2)
    expect(await late[1]?.()).toBe(0)
    await held(locks.acquire('report'))
  })
  it('disposes without an error, so that the block shows its own', async () => {
    const locks = make()
    const lock = await held(locks.acquire('report'))
    store.before = down
    await lock[Symbol.asyncDispose]()
    expect(store.verbs).toEqual(['take', 'free'])
    expect(await lock.release()).toBe(false)
  })
  it('a release that finds no store rejects, and after a loss is false', async () => {
    const locks = make()
    const [one, two] = [await held(locks.acquire('one')), await held(locks.acquire('two', { renew: false }))]
    store.before = down
    await expect(one.release()).rejects.toEqual(code('STORE_UNAVAILABLE'))
    block(TTL)
    expect(await two.release()).toBe(false)
  })
})

describe('tokens', () => {
  it('rise by the clock, and within its one reading', async () => {
    const locks = make()
    const tokens: number[] = []
    for (let i = 0; i < 5; i++) {
      const lock = await held(locks.acquire('report'))
      tokens.push(lock.token)
      await lock.release()
      if (i === 2) await pass(1)
    }
    const us = START * 1000
    expect(tokens).toEqual([us, us + 1, us + 2, us + 1000, us + 1001])
    expect(tokens.every(Number.isSafeInteger)).toBe(true)
  })
  it('rise when the store has lost what it knew, as in a failover', async () => {
    const locks = make()
    const first = await held(locks.acquire('report'))
    await pass(1)
    await store.delete([':shop:lock:report'])
    const second = await held(locks.acquire('report'))
    expect(second.token).toBeGreaterThan(first.token)
  })
  it('rise when the store clock was set back, for a day after the lease', async () => {
    const locks = make()
    const first = await held(locks.acquire('report'))
    await first.release()
    await pass(86_000_000)
    clock.set(-86_300_000)
    const second = await held(locks.acquire('report'))
    expect(second.token).toBe(first.token + 1)
  })
  it('of several holders differ', async () => {
    const four = make().semaphore('mail', { permits: 4 })
    const locks = await Promise.all([1, 2, 3, 4].map(() => held(four.acquire())))
    expect(new Set(locks.map(({ token }) => token)).size).toBe(4)
    expect(await four.acquire()).toBeUndefined()
  })
})

describe('validity', () => {
  it('counts from before the send: a late reply is a failed try that releases', async () => {
    const locks = make()
    store.after = (verb) => verb === 'take' && block(TTL)
    expect(await locks.acquire('report')).toBeUndefined()
    store.after = () => {}
    await held(locks.acquire('report'))
    expect(store.verbs).toEqual(['take', 'free', 'take'])
  })
  it('of a lock whose reply was slow is shorter by that', async () => {
    store.after = (verb) => verb === 'take' && block(TTL / 2)
    const lock = await held(make().acquire('report', { renew: false }))
    block(TTL / 2 - 1)
    lock.assertHeld()
    block(1)
    expect(() => lock.assertHeld()).toThrow(code('LOCK_LOST'))
  })
  it('a late reply is tried again while the wait lasts, under a new id', async () => {
    let slow = 1
    const ids: unknown[] = []
    const { run } = store
    store.run = (...args) => {
      ids.push(args[2][1])
      return run(...args)
    }
    store.after = (verb) => verb === 'take' && slow-- > 0 && block(TTL)
    const pending = make().acquire('report', { wait: '2m' })
    await pass(1000)
    const lock = await held(pending)
    lock.assertHeld()
    expect(ids[0]).toBe(ids[1])
    expect(ids[2]).not.toBe(ids[0])
  })
  it('is read at every look at the signal, though no timer could fire', async () => {
    const locks = make()
    const lock = await held(locks.acquire('report'))
    const { signal } = lock
    const heard: unknown[] = []
    signal.addEventListener('abort', () => void heard.push(signal.aborted && signal.reason))
    block(TTL - 1)
    expect([signal.aborted, signal.reason, heard.length]).toEqual([false, undefined, 0])
    signal.throwIfAborted()
    lock.assertHeld()
    block(1)
    expect(signal.aborted).toBe(true)
    expect(heard).toEqual([code('LOCK_LOST')])
    expect(signal.reason).toEqual(code('LOCK_LOST'))
    expect(() => signal.throwIfAborted()).toThrow(code('LOCK_LOST'))
    expect(() => lock.assertHeld()).toThrow(code('LOCK_LOST'))
  })
  it.each<[string, (lock: Lock) => unknown]>([
    ['signal', (lock) => lock.signal],
    ['signal.reason', ({ signal }) => signal.reason],
    ['assertHeld', (lock) => expect(() => lock.assertHeld()).toThrow(code('LOCK_LOST'))],
    ['throwIfAborted', ({ signal }) => expect(() => signal.throwIfAborted()).toThrow(code('LOCK_LOST'))],
  ])('the first look after it may be %s', async (_, look) => {
    const lock = await held(make().acquire('report'))
    const { signal } = lock
    const heard: unknown[] = []
    signal.addEventListener('abort', () => void heard.push(1))
    block(TTL * 3)
    look(lock)
    expect(heard).toEqual([1])
  })
  it('ends by a timer where nobody looks', async () => {
    const lock = await held(make().acquire('report', { renew: false }))
    const heard: unknown[] = []
    lock.signal.addEventListener('abort', () => void heard.push(1))
    await pass(TTL - 1)
    expect(heard).toEqual([])
    await pass(2)
    expect(heard).toEqual([1])
  })
  it('a signal asked for after the loss is aborted', async () => {
    const lock = await held(make().acquire('report'))
    block(TTL)
    const { signal } = lock
    expect([signal.aborted, signal.reason]).toEqual([true, code('LOCK_LOST')])
    expect(lock.signal).toBe(signal)
  })
  it('a lease that ends just as its lock is made is a lock that is lost', async () => {
    let readings = 0
    store.after = () => {
      const timed = vi.mocked(performance.now).getMockImplementation() as () => number
      // The first reading of the clock after the reply is within the lease, and all later ones are past its end.
      vi.mocked(performance.now).mockImplementation(() => timed() + (readings++ > 0 ? TTL : 0))
      store.after = () => {}
    }
    const lock = await held(make().acquire('a'))
    expect(lock.signal.aborted).toBe(true)
    expect(() => lock.assertHeld()).toThrow(code('LOCK_LOST'))
    expect(await lock.release()).toBe(false)
    expect(vi.getTimerCount()).toBe(0)
  })
  it('a lock that is lost stays lost', async () => {
    const lock = await held(make().acquire('report', { renew: false }))
    block(TTL)
    lock.signal
    clock.ahead -= TTL
    expect(await lock.extend()).toBe(false)
    expect(() => lock.assertHeld()).toThrow(code('LOCK_LOST'))
    expect(store.verbs).toEqual(['take'])
  })
  it('does not follow the wall clock', async () => {
    const lock = await held(make().acquire('report'))
    for (const ms of [3_600_000, -7_200_000]) {
      clock.set(ms)
      lock.assertHeld()
      expect(lock.signal.aborted).toBe(false)
    }
  })
  it('a released lock is not held, and its signal does not abort', async () => {
    const lock = await held(make().acquire('report'))
    const { signal } = lock
    await lock.release()
    expect(() => lock.assertHeld()).toThrow(code('LOCK_LOST'))
    await pass(TTL * 2)
    expect(signal.aborted).toBe(false)
    expect(await lock.extend()).toBe(false)
    expect(store.verbs).toEqual(['take', 'free'])
  })
})

describe('renewal', () => {
  it('comes at each third of the lease, until the release', async () => {
    const locks = make()
    const lock = await held(locks.acquire('report'))
    await pass(TTL / 3 - 1)
    expect(store.verbs).toEqual(['take'])
    await pass(TTL * 4)
    lock.assertHeld()
    expect(store.verbs.filter((verb) => verb === 'keep')).toHaveLength(12)
    expect(await locks.acquire('report')).toBeUndefined()
    await lock.release()
    const { length } = store.verbs
    await pass(TTL * 4)
    expect(store.verbs).toHaveLength(length)
    expect(vi.getTimerCount()).toBe(0)
  })
  it('is left out by choice', async () => {
    const locks = make()
    const lock = await held(locks.acquire('report', { renew: false }))
    await pass(TTL + 2)
    expect(() => lock.assertHeld()).toThrow(code('LOCK_LOST'))
    expect(await lock.release()).toBe(false)
    await held(locks.acquire('report'))
  })
  it('that fails once is forgiven, twice in a row is the loss', async () => {
    const lock = await held(make().acquire('report'))
    const { signal } = lock
    store.before = down
    await pass(TTL / 3 + 1)
    store.before = () => {}
    await pass(TTL / 3)
    store.before = down
    await pass(TTL / 3)
    expect(signal.aborted).toBe(false)
    await pass(TTL / 3)
    expect(signal.reason).toEqual(code('LOCK_LOST'))
    await pass(TTL)
    expect(store.verbs.filter((verb) => verb === 'keep')).toHaveLength(4)
  })
  it('has no longer than to the next one', async () => {
    const deadlines: unknown[] = []
    const { run } = store
    store.run = (...args) => {
      if (args[2][0] === 'keep') deadlines.push(args[3]?.deadline)
      return run(...args)
    }
    await held(make().acquire('report'))
    await pass(TTL / 3)
    expect(deadlines).toEqual([START + (TTL / 3) * 2])
  })
  it('after two failures is no more, and the lease is given back all the same', async () => {
    const locks = make()
    const lock = await held(locks.acquire('report'))
    store.before = down
    await pass((TTL / 3) * 2 + 1)
    store.before = () => {}
    expect(() => lock.assertHeld()).toThrow(code('LOCK_LOST'))
    expect(await lock.release()).toBe(false)
    await held(locks.acquire('report'))
  })
  it('that is never answered ends with the lease', async () => {
    const lock = await held(make().acquire('report'))
    const { signal } = lock
    const heard: unknown[] = []
    signal.addEventListener('abort', () => void heard.push(1))
    store.before = () => new Promise(() => {})
    await pass(TTL - 1)
    expect(heard).toEqual([])
    await pass(2)
    expect(heard).toEqual([1])
  })
  it('that finds the lease gone is the loss at once', async () => {
    const lock = await held(make().acquire('report'))
    const { signal } = lock
    await store.delete([':shop:lock:report'])
    await pass(TTL / 3 + 1)
    expect(signal.aborted).toBe(true)
    expect(await lock.release()).toBe(false)
  })
  it('that is answered after the lease does not count', async () => {
    const lock = await held(make().acquire('report'))
    store.after = () => block(TTL)
    await pass(TTL / 3 + 1)
    expect(lock.signal.aborted).toBe(true)
  })
  it('that is answered after the release says nothing', async () => {
    const lock = await held(make().acquire('report'))
    const { signal } = lock
    const { promise, resolve } = Promise.withResolvers<void>()
    store.before = (verb) => (verb === 'keep' ? promise : undefined)
    await pass(TTL / 3 + 1)
    expect(await lock.release()).toBe(true)
    resolve()
    await pass(TTL)
    expect(signal.aborted).toBe(false)
  })
})

describe('extend', () => {
  it('makes the lease longer from its own sending, never shorter', async () => {
    const locks = make()
    const lock = await held(locks.acquire('report', { renew: false }))
    expect(await lock.extend('1m')).toBe(true)
    expect(await lock.extend(10)).toBe(true)
    block(59_999)
    lock.assertHeld()
    block(1)
    expect(() => lock.assertHeld()).toThrow(code('LOCK_LOST'))
  })
  it('that finds no store rejects, and the lock is held on', async () => {
    const lock = await held(make().acquire('report', { renew: false }))
    store.before = down
    await expect(lock.extend('1m')).rejects.toEqual(code('STORE_UNAVAILABLE'))
    lock.assertHeld()
    block(TTL)
    expect(lock.signal.aborted).toBe(true)
  })
  it('refuses a time that is none', async () => {
    const lock = await held(make().acquire('report'))
    await expect(lock.extend(0)).rejects.toEqual(code('INVALID_DURATION'))
    await expect(lock.extend('soon' as never)).rejects.toEqual(code('INVALID_DURATION'))
    lock.assertHeld()
  })
})

describe('waiting', () => {
  it('is one try unless asked for, and then bounded', async () => {
    const locks = make()
    await held(locks.acquire('report'))
    store.verbs.length = 0
    expect(await locks.acquire('report', { wait: 0 })).toBeUndefined()
    expect(store.verbs).toEqual(['take'])
    const pending = locks.acquire('report', { wait: '5s' })
    await pass(5001)
    expect(await pending).toBeUndefined()
    const takes = store.verbs.filter((verb) => verb === 'take').length
    expect(takes).toBeGreaterThan(60)
    expect(takes).toBeLessThan(210)
  })
  it('ends when it is free', async () => {
    const locks = make()
    const first = await held(locks.acquire('report'))
    const pending = locks.acquire('report', { wait: '5s' })
    await pass(1000)
    await first.release()
    await pass(100)
    ;(await held(pending)).assertHeld()
  })
  it('ends soon after a holder that has died', async () => {
    const locks = make()
    await held(locks.acquire('report', { renew: false }))
    const pending = locks.acquire('report', { wait: '1m' })
    await pass(TTL + 100)
    await held(pending)
  })
  it('rejects with the reason of a signal, and leaves nothing', async () => {
    const locks = make()
    const first = await held(locks.acquire('report'))
    const controller = new AbortController()
    const pending = locks.acquire('report', { wait: '5s', signal: controller.signal })
    pending.catch(() => {})
    await pass(100)
    controller.abort('enough')
    await expect(pending).rejects.toBe('enough')
    await pass(0)
    store.verbs.length = 0
    await expect(locks.acquire('report', { signal: controller.signal })).rejects.toBe('enough')
    expect(store.verbs).toEqual([])
    await first.release()
    await held(locks.acquire('report'))
    await pass(100)
    expect(vi.getTimerCount()).toBe(1)
  })
  it('hands its signal to the store', async () => {
    const { signal } = new AbortController()
    const { run } = store
    const signals: unknown[] = []
    store.run = (...args) => {
      signals.push(args[3]?.signal)
      return run(...args)
    }
    await held(make().acquire('report', { signal }))
    expect(signals).toEqual([signal])
  })
  it('gives back what an aborted call has taken after all', async () => {
    const locks = make()
    const controller = new AbortController()
    store.after = (verb) => {
      if (verb !== 'take') return
      controller.abort('enough')
      throw controller.signal.reason
    }
    await expect(locks.acquire('report', { signal: controller.signal })).rejects.toBe('enough')
    store.after = () => {}
    await pass(0)
    await held(locks.acquire('report'))
  })
  it('gives back what was taken though its reply was lost for good', async () => {
    const locks = make()
    store.after = (verb) => verb === 'take' && down()
    await expect(locks.acquire('report')).rejects.toEqual(code('STORE_UNAVAILABLE'))
    store.after = () => {}
    await pass(0)
    await held(locks.acquire('report'))
  })
  it('lets 32 contenders have it, each', async () => {
    const locks = make()
    const done = Promise.all(
      Array.from({ length: 32 }, async () => {
        const lock = await held(locks.acquire('report', { wait: '1m' }))
        await new Promise((resolve) => setTimeout(resolve, 5))
        expect(await lock.release()).toBe(true)
      }),
    )
    await pass(60_000)
    await done
  })
})

describe('run', () => {
  it('says what the work has returned, or that it is taken', async () => {
    const locks = make()
    const outer = locks.run('report', async (lock) => {
      expect(await locks.run('report', () => 'inner')).toEqual({ acquired: false })
      return lock.token
    })
    expect(await outer).toEqual({ acquired: true, value: expect.any(Number) })
    expect(await locks.run('report', () => undefined)).toEqual({ acquired: true, value: undefined })
    await held(locks.acquire('report'))
  })
  it('releases when the work throws, and shows what it has thrown', async () => {
    const locks = make()
    const error = new Error('mine')
    const fails = (): never => {
      throw error
    }
    await expect(locks.run('report', fails)).rejects.toBe(error)
    await expect(locks.run('report', async () => fails())).rejects.toBe(error)
    store.before = (verb) => verb === 'free' && down()
    await expect(locks.run('report', fails)).rejects.toBe(error)
  })
  it('says what the work has returned though the release failed', async () => {
    store.before = (verb) => verb === 'free' && down()
    expect(await make().run('report', () => 5)).toEqual({ acquired: true, value: 5 })
  })
})

describe('a semaphore', () => {
  it('lets as many in as it has permits', async () => {
    const locks = make()
    const two = locks.semaphore('mail', { permits: 2 })
    const first = await held(two.acquire())
    const second = await held(two.acquire())
    expect(await two.acquire()).toBeUndefined()
    expect(await two.run(() => 1)).toEqual({ acquired: false })
    await first.release()
    expect(await two.run(() => 1)).toEqual({ acquired: true, value: 1 })
    await held(locks.acquire('mail'))
    second.assertHeld()
  })
  it('lets in by the fewest permits where callers differ', async () => {
    const locks = make()
    const first = await held(locks.semaphore('mail', { permits: 3 }).acquire())
    expect(await locks.semaphore('mail', { permits: 1 }).acquire()).toBeUndefined()
    const second = await held(locks.semaphore('mail', { permits: 2 }).acquire())
    expect(await locks.semaphore('mail', { permits: 3 }).acquire()).toBeUndefined()
    await first.release()
    await second.release()
    await held(locks.semaphore('mail', { permits: 1 }).acquire())
  })
  it('keeps the place of a holder with a longer lease than the rest', async () => {
    const two = make().semaphore('mail', { permits: 2 })
    await held(two.acquire({ ttl: '3d', renew: false }))
    const short = await held(two.acquire({ ttl: 1000, renew: false }))
    await short.release()
    block(2 * 86_400_000)
    await held(two.acquire())
    expect(await two.acquire()).toBeUndefined()
  })
})

describe('readers and a writer', () => {
  it('exclude each other, and readers not one another', async () => {
    const { read, write } = make().readWrite('page')
    const readers = [await held(read.acquire()), await held(read.acquire())]
    expect(await write.acquire()).toBeUndefined()
    for (const reader of readers) await reader.release()
    const writer = await held(write.acquire())
    expect(await read.acquire()).toBeUndefined()
    expect(await write.run(() => 1)).toEqual({ acquired: false })
    await writer.release()
    expect(await read.run(() => 1)).toEqual({ acquired: true, value: 1 })
  })
  it('a writer that waits is not overtaken by readers for ever', async () => {
    const { read, write } = make().readWrite('page')
    const reader = await held(read.acquire())
    const writer = write.acquire({ wait: '5s' })
    await pass(500)
    expect(await read.acquire()).toBeUndefined()
    await reader.release()
    await pass(200)
    await (await held(writer)).release()
    await held(read.acquire())
  })
  it('a writer that gave up keeps nobody out', async () => {
    const { read, write } = make().readWrite('page')
    await held(read.acquire())
    const controller = new AbortController()
    const writer = write.acquire({ wait: '5s', signal: controller.signal })
    writer.catch(() => {})
    await pass(500)
    controller.abort('enough')
    await pass(0)
    await held(read.acquire())
    const brief = write.acquire({ wait: 300 })
    await pass(302)
    expect(await brief).toBeUndefined()
    await held(read.acquire())
    expect(await write.acquire()).toBeUndefined()
    await held(read.acquire())
  })
})

describe('bad input', () => {
  it('is refused when the locks are made', () => {
    expect(() => make({ store: { ...store, run: undefined } as never })).toThrow(code('UNSUPPORTED'))
    expect(() => make({ store: undefined as never })).toThrow(code('UNSUPPORTED'))
    expect(() => make({ minReplicas: 1 })).toThrow(code('UNSUPPORTED'))
    for (const minReplicas of [-1, 0.5, Number.NaN, '1' as never])
      expect(() => make({ minReplicas })).toThrow(code('INVALID_ARGUMENT'))
    expect(() => make({ namespace: 'a:b' })).toThrow(code('INVALID_KEY'))
    for (const ttl of [0, -1, Number.NaN, 'soon' as never, 1e15]) {
      expect(() => make({ ttl })).toThrow(code('INVALID_DURATION'))
      expect(() => make({ poll: ttl })).toThrow(code('INVALID_DURATION'))
    }
    expect(() => make({ timeout: 5 } as never)).toThrow(code('INVALID_ARGUMENT'))
    expect(() => createLocks(undefined as never)).toThrow(code('INVALID_ARGUMENT'))
  })
  it('replicas are asked for where the server has none', async () => {
    const { ReplyError } = await import('../../../src/store/transport.ts')
    for (const refusal of [
      "ERR unknown command 'EVAL'",
      'NOPERM this user has no permissions',
      'ERR this store was opened without a Lua runtime: scripts cannot run',
      'ERR scripting support disabled: the Lua runtime cannot be opened',
    ]) {
      const own = { send: async () => new ReplyError(refusal), release: () => {} }
      const locks = make({ store: { ...store, transport: { exclusive: async () => own } } as never, minReplicas: 1 })
      await expect(locks.acquire('k')).rejects.toEqual(code('UNSUPPORTED'))
    }
  })
  it('a right that is missing on a key or inside the script says nothing of replicas', async () => {
    const { ReplyError } = await import('../../../src/store/transport.ts')
    for (const refusal of [
      "ERR ACL failure in script: User app has no permissions to run the 'time' command script: on @user_script:1.",
      "NOPERM ACL failure in script: User app has no permissions to run the 'time' command",
      'NOPERM No permissions to access a key',
      'NOPERM this user has no permissions to access one of the keys used as arguments',
    ]) {
      const own = { send: async () => new ReplyError(refusal), release: () => {} }
      const locks = make({ store: { ...store, transport: { exclusive: async () => own } } as never, minReplicas: 1 })
      await expect(locks.acquire('k'), refusal).rejects.toEqual(code('UNAUTHORIZED'))
    }
  })
  it('replicas are asked for at the node of the name', async () => {
    const keys: unknown[] = []
    const own = { send: async () => 1, release: () => {} }
    const exclusive = async (_call: unknown, key: unknown) => {
      keys.push(key)
      return own
    }
    const locks = make({ store: { ...store, transport: { exclusive } } as never, minReplicas: 1 })
    expect(await locks.acquire('k')).toBeDefined()
    expect(keys).toEqual([expect.stringMatching(/:lock:k$/)])
  })
  it('replicas are asked for at the node to which the name has moved', async () => {
    const { ReplyError } = await import('../../../src/store/transport.ts')
    let isKnown = false
    const sent: string[] = []
    const transport = {
      send: async ({ args }: { args: readonly unknown[] }) => {
        sent.push(String(args[0]))
        isKnown = true
      },
      exclusive: async () => {
        const reply = isKnown ? 1 : new ReplyError('MOVED 5 other.example:6379')
        return { send: async () => reply, release: () => {} }
      },
    }
    const locks = make({ store: { ...store, transport } as never, minReplicas: 1 })
    expect(await locks.acquire('k')).toBeDefined()
    expect(sent).toEqual(['GET'])
  })
  it('is refused at a call, before the store is asked', async () => {
    const locks = make()
    for (const name of ['', undefined as never, 5 as never]) {
      await expect(locks.acquire(name)).rejects.toEqual(code('INVALID_KEY'))
      await expect(locks.run(name, () => 1)).rejects.toEqual(code('INVALID_KEY'))
      expect(() => locks.semaphore(name, { permits: 1 })).toThrow(code('INVALID_KEY'))
      expect(() => locks.readWrite(name)).toThrow(code('INVALID_KEY'))
    }
    await expect(locks.acquire('a', { wait: 'soon' as never })).rejects.toEqual(code('INVALID_DURATION'))
    await expect(locks.acquire('a', { wait: -1 })).rejects.toEqual(code('INVALID_DURATION'))
    await expect(locks.acquire('a', { ttl: 0 })).rejects.toEqual(code('INVALID_DURATION'))
    await expect(locks.acquire('a', { timeout: 5 } as never)).rejects.toEqual(code('INVALID_ARGUMENT'))
    await expect(locks.acquire('a', 'soon' as never)).rejects.toEqual(code('INVALID_ARGUMENT'))
    for (const permits of [0, 1001, 1.5, '2' as never, undefined as never])
      expect(() => locks.semaphore('a', { permits })).toThrow(code('INVALID_ARGUMENT'))
    expect(() => locks.semaphore('a', { permits: 2, ttl: '1m' } as never)).toThrow('semaphore has no option ttl')
    expect(() => locks.semaphore('a', undefined as never)).toThrow(code('INVALID_ARGUMENT'))
    expect(store.verbs).toEqual([])
    await expect(locks.acquire('a'.repeat(2000))).rejects.toEqual(code('INVALID_KEY'))
    await store.close()
    await expect(locks.acquire('a')).rejects.toEqual(code('CLOSED'))
  })
})
