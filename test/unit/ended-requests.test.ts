import { beforeEach, expect, it, vi } from 'vitest'
import { NO_LIMIT } from '../../src/runtime/deadline.ts'
import { createKeyQueue } from '../../src/runtime/key-queue.ts'
import { createScriptGuard } from '../../src/store/script-guard.ts'

// As on Workers, where a call of a request that has ended never settles.

const kept = vi.hoisted((): Promise<unknown>[] => [])
vi.mock('#background', () => ({
  budgetMs: 25_000,
  waitUntil: () => (work: Promise<unknown>) => void kept.push(work),
}))
beforeEach(() => void kept.splice(0))

const never = (): Promise<never> => new Promise(() => {})

it('the runtime keeps a call alive that others may wait for', async () => {
  const queue = createKeyQueue()
  await queue.run(['key'], false, NO_LIMIT, async () => 'fast')
  expect(kept).toHaveLength(0)
  await queue.run(['key'], true, NO_LIMIT, async () => 'slow')
  expect(kept).toHaveLength(1)
  await Promise.all(kept)
})

it('a proof that ends after its successor has begun leaves the successor as it is', async () => {
  const dragonfly = 'dragonfly_version:1'
  const down = new Error('down')
  const outcomes = [
    { settle: (late: PromiseWithResolvers<string>) => late.resolve(dragonfly), first: { value: true } },
    { settle: (late: PromiseWithResolvers<string>) => late.reject(down), first: { reason: down } },
  ]
  vi.useFakeTimers()
  try {
    for (const { settle, first: expected } of outcomes) {
      const late = Promise.withResolvers<string>()
      const replies = [() => late.promise, never, async () => dragonfly]
      let asked = 0
      const guard = createScriptGuard(() => (replies[asked++] as () => Promise<string>)(), undefined)
      const first = Promise.allSettled([guard.prove()])
      vi.setSystemTime(Date.now() + 1001)
      void guard.prove()
      settle(late)
      expect(await first).toMatchObject([expected])
      void guard.prove()
      expect(asked).toBe(2)
      vi.setSystemTime(Date.now() + 1001)
      void guard.prove()
      expect(asked).toBe(3)
      expect(await guard.prove()).toBe(true)
      expect(guard.line).toBe('')
    }
  } finally {
    vi.useRealTimers()
  }
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
