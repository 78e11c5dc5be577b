import { beforeEach, expect, it, vi } from 'vitest'
import { memoryStore } from '../../adapters/memory/index.ts'
import { now } from '../../src/runtime/clock.ts'
import { NO_LIMIT } from '../../src/runtime/deadline.ts'
import { createKeyQueue } from '../../src/runtime/key-queue.ts'
import { createScriptGuard } from '../../src/store/script-guard.ts'
import type { Store } from '../../src/store/store.ts'
import { withoutOperations } from '../../src/store/without-operations.ts'

// As on Workers, where a call of a request that has ended never settles.

const kept = vi.hoisted((): Promise<unknown>[] => [])
vi.mock('#background', () => ({
  budgetMs: 25_000,
  waitUntil: () => (work: Promise<unknown>) => void kept.push(work),
}))
beforeEach(() => void kept.splice(0))

const never = (): Promise<never> => new Promise(() => {})

it('a call whose request has ended leaves the next call half of its time', async () => {
  const queue = createKeyQueue()
  void queue.run(['key'], true, NO_LIMIT, never)
  const limit = { signals: [], deadline: now() + 400 }
  expect(await queue.run(['key'], false, limit, async () => 'ran')).toBe('ran')
})

it('so it does over a store without operations', async () => {
  const memory = memoryStore()
  let isDead = true
  const store: Store = { ...memory, set: (...args) => (isDead ? never() : memory.set(...args)) }
  const all = withoutOperations(store)
  void all.set('key', 'value')
  isDead = false
  expect(await all.get('key', { deadline: now() + 400 })).toBe(undefined)
})

it('the runtime keeps a call alive that others may wait for', async () => {
  const queue = createKeyQueue()
  await queue.run(['key'], false, NO_LIMIT, async () => 'fast')
  expect(kept).toHaveLength(0)
  await queue.run(['key'], true, NO_LIMIT, async () => 'slow')
  expect(kept).toHaveLength(1)
  await Promise.all(kept)
})

it('the proof that scripts are atomic begins anew if its request has ended, and is shared otherwise', async () => {
  vi.useFakeTimers()
  try {
    const replies = [never, async () => 'dragonfly_version:1']
    let asked = 0
    const guard = createScriptGuard(() => (replies[asked++] as () => Promise<string>)(), undefined)
    void guard.prove()
    void guard.prove()
    vi.setSystemTime(Date.now() + 1001)
    expect([await guard.prove(), await guard.prove(), asked]).toEqual([true, true, 2])
    vi.setSystemTime(Date.now() + 1001)
    expect([await guard.prove(), asked]).toEqual([true, 2])
    expect(kept).toHaveLength(2)
  } finally {
    vi.useRealTimers()
  }
})
