import { createLocks, type Lock, type Lockable, type RunResult } from 'hither/lock'
import { memoryStore } from 'hither/memory'
import type { Store } from '../../src/store/store.ts'
import { typed } from './support.ts'

// Compiled by `npm run typecheck` and never run: each line below must compile, except those marked @ts-expect-error.

declare const plain: Store
const store = memoryStore()
const locks = createLocks({ store, namespace: 'shop', ttl: '30s' })

typed<Promise<Lock | undefined>>()(locks.acquire('report', { wait: '5s', signal: new AbortController().signal }))
typed<Promise<RunResult<number>>>()(locks.run('report', async (lock) => lock.token))
typed<Promise<RunResult<string>>>()(locks.run('report', () => 'now', { ttl: '1m', renew: false }))
typed<Lockable>()(locks.semaphore('mail', { permits: 3 }))
const { read, write } = locks.readWrite('page')
typed<Promise<Lock | undefined>>()(read.acquire({ wait: 100 }))
typed<Promise<RunResult<void>>>()(write.run(() => {}))
createLocks({ store, minReplicas: 1, poll: 20 })
{
  await using lock = await locks.acquire('report')
  typed<Lock | undefined>()(lock)
}
const done = await locks.run('report', () => 1)
if (done.acquired) typed<number>()(done.value)

// @ts-expect-error a plain store cannot hold a lock
createLocks({ store: plain })
// @ts-expect-error a store is required
createLocks({ ttl: '30s' })
// @ts-expect-error an option that does not exist
createLocks({ store, prefix: 'x' })
// @ts-expect-error a lease is a duration
createLocks({ store, ttl: 'a minute' })
// @ts-expect-error a name is text
void locks.acquire(5)
// @ts-expect-error an option that does not exist
void locks.acquire('report', { retry: 3 })
// @ts-expect-error permits are required
locks.semaphore('mail')
// @ts-expect-error a run whose lock was taken has no value
done.value
// @ts-expect-error the lock may be taken, so the result may be undefined
;(await locks.acquire('report')).release()
// @ts-expect-error a token cannot be changed
;((await locks.acquire('report')) as Lock).token = 1
