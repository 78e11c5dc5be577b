/**
 * A child process with several contenders for one lock. Each writes to a fenced resource when it gets the lock, and again before
 * it releases the lock, whether it still holds the lock or not. Now and then one asks to have its process stopped in between.
 */
import { Redis } from 'ioredis'
import { tcpStore } from '../../../adapters/tcp/index.ts'
import { createLocks } from '../../../src/lock/index.ts'
import type { Operation } from '../../../src/protocol/operation.ts'
import type { AtomicStore } from '../../../src/store/store.ts'

export interface LockTask {
  readonly url: string
  readonly contenders: number
  readonly acquisitions: number
  readonly ttlMs: number
  /** One acquisition in this many asks for a stop. */
  readonly oneIn: number
}
export interface LockReport {
  readonly acquired: number
  readonly rejected: number
  /** Refused writes under a lock that its process still believed to hold. */
  readonly unnoticed: number
}
export type FromLockChild = { readonly stop: true } | { readonly report: LockReport }

/** The fenced write: accepts a token that is not below the highest accepted before. */
const WRITE = `
local token, top = tonumber(ARGV[1]), tonumber(redis.call('GET', KEYS[1]) or 0)
if token < top then return 0 end
redis.call('SET', KEYS[1], string.format('%.0f', token))
redis.call('RPUSH', KEYS[2], ARGV[1])
return 1`

/** Wraps the store so that the server also records the token of each grant, in the order of the grants. */
function logged(store: AtomicStore): AtomicStore {
  const known = new Map<string, object>()
  return {
    ...store,
    run(operation, key, args, call) {
      const lua = `
local function step() ${operation.lua} end
local reply = step()
if ARGV[1] == 'take' and reply > 0 then redis.call('RPUSH', 'grants', string.format('%.0f', reply)) end
return reply`
      const logging = (known.get(operation.name) ?? { ...operation, lua }) as typeof operation
      known.set(operation.name, logging)
      return store.run(logging as Operation<typeof args, never>, key, args, call)
    },
  }
}

const { url, contenders, acquisitions, ttlMs, oneIn } = JSON.parse(process.argv[2] as string) as LockTask
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const resource = new Redis(url)
const store = tcpStore({ url })
const locks = createLocks({ store: logged(store), namespace: 'paused', ttl: ttlMs, poll: 10 })
const report = { acquired: 0, rejected: 0, unnoticed: 0 }
const say = (message: FromLockChild): void => void process.send?.(message)

async function contend(): Promise<void> {
  while (report.acquired < acquisitions) {
    const lock = await locks.acquire('k', { wait: '5m' })
    if (!lock) continue
    const turn = ++report.acquired
    const write = async (): Promise<void> => {
      if ((await resource.eval(WRITE, 2, 'top', 'accepted', lock.token)) === 1) return
      report.rejected++
      if (!lock.signal.aborted) report.unnoticed++
    }
    await write()
    if (turn % oneIn === 0) {
      say({ stop: true })
      await pause(20)
    }
    await write()
    await lock.release().catch(() => false)
  }
}
await Promise.all(Array.from({ length: contenders }, contend))
say({ report })
process.on('disconnect', () => process.exit())
