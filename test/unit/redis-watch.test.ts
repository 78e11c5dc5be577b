import { describe, expect, it } from 'vitest'
import { HitherError, StoreRejectedError } from '../../src/errors.ts'
import type { Operation } from '../../src/protocol/operation.ts'
import { withWatch } from '../../src/store/redis-watch.ts'
import type { CommandStore } from '../../src/store/store.ts'
import { ReplyError } from '../../src/store/transport.ts'

const traits = { maxKeyBytes: 1024, maxValueBytes: 1024 } as CommandStore['traits']
const operation: Operation<never[], number> = {
  name: 'test.none',
  effect: 'read',
  lua: '',
  apply: () => ({ next: undefined, ttl: 'keep', reply: 1 }),
}

/** A store whose server refuses scripts, and whose only connection for WATCH is never acquired. */
async function scriptless(): Promise<CommandStore> {
  const refuse = () => Promise.reject(new HitherError('UNSUPPORTED', 'no scripts'))
  const plain = { traits, run: refuse, ready: refuse, get: async () => 'value', close: async () => {} }
  const store = withWatch(plain as unknown as CommandStore, { acquire: () => new Promise(() => {}) })
  await store.ready()
  void store.run(operation, 'key', [])
  return store
}

describe('calls on a key whose operation is still under WATCH', () => {
  it('wait for it, and leave the queue when they are aborted', async () => {
    const store = await scriptless()
    const stop = new AbortController()
    const read = store.get('key', { signal: stop.signal })
    expect(await store.get('other')).toBe('value')
    const reason = new Error('no longer needed')
    stop.abort(reason)
    await expect(read).rejects.toBe(reason)
  })
  it('leave the queue at their deadline', async () => {
    const store = await scriptless()
    await expect(store.get('key', { deadline: Date.now() + 20 })).rejects.toMatchObject({ code: 'TIMEOUT' })
  })
})

it('a store is ready though its user may not read the key that is asked for', async () => {
  const refuse = () => Promise.reject(new HitherError('UNSUPPORTED', 'no scripts'))
  const over = (reply: string) => {
    const get = () => Promise.reject(new StoreRejectedError('GET', new ReplyError(reply)))
    const plain = { traits, ready: refuse, get }
    return withWatch(plain as unknown as CommandStore, { acquire: () => new Promise(() => {}) })
  }
  await over('NOPERM No permissions to access a key').ready()
  await over('NOPERM this user has no permissions to access one of the keys used as arguments').ready()
  for (const reply of [
    'NOAUTH Authentication required.',
    "NOPERM User joe has no permissions to run the 'get' command",
    "NOPERM this user has no permissions to run the 'get' command or its subcommand",
  ])
    await expect(over(reply).ready(), reply).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
})
