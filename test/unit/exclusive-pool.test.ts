import { describe, expect, it, vi } from 'vitest'
import { HitherError } from '../../src/errors.ts'
import { createExclusivePool, type Lendable } from '../../src/store/exclusive-pool.ts'
import { waitOn } from '../../src/store/wait-on.ts'

const command = { args: ['BLPOP', 'k', 0], effect: 'once' } as const
const closed = { code: 'CLOSED', maybeExecuted: false }

/** A pool of two connections, which give no reply until they are closed. */
function poolOf() {
  let opened = 0
  const open = (): Lendable => {
    opened++
    const end = Promise.withResolvers<never>()
    return {
      send: () => end.promise,
      transaction: () => end.promise,
      close: async () => end.reject(new HitherError('STORE_UNAVAILABLE', 'cut', { maybeExecuted: true })),
    }
  }
  const pool = createExclusivePool(open, 2)
  return { pool, wait: waitOn(pool.acquire), opened: () => opened }
}

describe('a pool of connections that is closed', () => {
  it('lends none any more, and opens none', async () => {
    const { pool, opened } = poolOf()
    await pool.close()
    await expect(pool.acquire()).rejects.toMatchObject(closed)
    expect(opened()).toBe(0)
  })
  it('ends what is under way, and who waits for one', async () => {
    const { pool, wait, opened } = poolOf()
    const calls = Array.from({ length: 6 }, () => wait(command, { deadline: Date.now() + 5000 }))
    const settled = Promise.allSettled(calls)
    await vi.waitFor(() => expect(opened()).toBe(2))
    await pool.close()
    const under = { status: 'rejected', reason: { code: 'CLOSED', maybeExecuted: true } }
    const waiting = { status: 'rejected', reason: closed }
    expect(await settled).toMatchObject([under, under, waiting, waiting, waiting, waiting])
    expect(opened()).toBe(2)
  })
  it('says what a connection has that was cut before', async () => {
    const cut = new HitherError('STORE_UNAVAILABLE', 'cut', { maybeExecuted: true })
    const send = () => Promise.reject(cut)
    const pool = createExclusivePool(() => ({ send, transaction: send, close: async () => {} }))
    await expect((await pool.acquire()).send(command)).rejects.toBe(cut)
    const refused = new HitherError('STORE_REJECTED', 'no')
    const other = createExclusivePool(() => ({
      send: () => Promise.reject(refused),
      transaction: send,
      close: async () => {},
    }))
    const lent = await other.acquire()
    await other.close()
    await expect(lent.send(command)).rejects.toBe(refused)
  })
})
