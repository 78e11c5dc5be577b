import { describe, expect, it } from 'vitest'
import { HitherError, type Operation } from '../../src/index.ts'
import { runBySwap, type Swappable } from '../../src/store/swap.ts'

const put: Operation<readonly [text: string], string> = {
  name: 'test.put',
  effect: 'repeat',
  lua: '',
  apply: (_, [text]) => ({ next: text, ttl: 'none', reply: text }),
}
const absent = { text: undefined, endMs: undefined }
const limits = (ms = 5000) => ({ deadline: Date.now() + ms, signal: undefined })
const gone = (maybeExecuted: boolean): HitherError =>
  new HitherError('STORE_UNAVAILABLE', 'gone', { retryable: true, maybeExecuted })

/** A value whose reads and swaps fail as the lists say, in order. */
function failing(reads: (HitherError | undefined)[], swaps: (HitherError | undefined)[]): Swappable<typeof absent> {
  return {
    async read() {
      const error = reads.shift()
      if (error) throw error
      return absent
    },
    async swap() {
      const error = swaps.shift()
      if (error) throw error
      return true
    },
  }
}

describe('an operation by compare-and-swap whose write lost its reply', () => {
  it('is decided anew where it may be repeated', async () => {
    expect(await runBySwap(put, ['v'], limits(), failing([], [gone(true)]))).toBe('v')
  })
  it('rejects at once where it may not', async () => {
    const once = { ...put, effect: 'once' } as const
    await expect(runBySwap(once, ['v'], limits(), failing([], [gone(true)]))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      maybeExecuted: true,
    })
  })
  it('says that it may have run where no later attempt gets through', async () => {
    const run = runBySwap(put, ['v'], limits(), failing([undefined, gone(false)], [gone(true)]))
    await expect(run).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true, maybeExecuted: true })
  })
  it('says so at its deadline, too', async () => {
    const swaps = Array.from({ length: 100 }, () => gone(true))
    await expect(runBySwap(put, ['v'], limits(30), failing([], swaps))).rejects.toMatchObject({
      code: 'TIMEOUT',
      maybeExecuted: true,
    })
  })
  it('does not say so of a write that was never sent', async () => {
    const run = runBySwap(put, ['v'], limits(), failing([undefined, gone(false)], [gone(false)]))
    await expect(run).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: false })
  })
})
