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
