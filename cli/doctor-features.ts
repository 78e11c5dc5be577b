import { type AtomicStore, createCache, type Operation } from 'hither'
import { createCounter } from 'hither/counter'
import { createLocks } from 'hither/lock'
import { createRateLimiter, slidingLog, slidingWindow } from 'hither/rate-limit'
import { createSessions } from 'hither/session'

/** What a check of a feature works on. */
export interface Trial {
  readonly store: AtomicStore
  readonly namespace: string
}

export interface Feature {
  /** Commands that the feature sends or its scripts call, beside those of every store. */
  readonly commands: readonly string[]
  /** Whether the feature listens to channels. */
  readonly channels?: true
  /** Rejects if the feature does not work. */
  run(trial: Trial): Promise<void>
}

const LIFE_MS = 60_000

function expectSame(what: string, found: unknown, expected: unknown): void {
  if (JSON.stringify(found) !== JSON.stringify(expected)) throw new WrongResult(`${what} did not do what it says`)
}

/** A call resolved to something else than promised. Features that go on without their store fail in this way. */
export class WrongResult extends Error {}

async function cache({ store, namespace }: Trial): Promise<void> {
  const cache = createCache({ store, namespace, ttl: LIFE_MS, grace: LIFE_MS })
  let loads = 0
  const load = (): Promise<number> => cache.getOrSet('a', () => ++loads, { tags: ['t'] })
  expectSame('getOrSet', [await load(), await load()], [1, 1])
  await cache.invalidateTags(['t'])
  expectSame('invalidateTags', await load(), 2)
  await cache.expire('a')
  await cache.set('b', { text: 'ü' })
  expectSame('set', await cache.get('b'), { text: 'ü' })
  await cache.touch('b', { ttl: LIFE_MS })
  await cache.increment('n', 1, { ttl: LIFE_MS })
  expectSame('take', await cache.take('b'), { text: 'ü' })
  await cache.delete('a')
  await cache.clear()
  await cache.flush()
}

async function limits({ store, namespace }: Trial): Promise<void> {
  for (const algorithm of [slidingLog({ limit: 2, window: '1m' }), slidingWindow({ limit: 2, window: '1m' })]) {
    const limiter = createRateLimiter({ store, namespace, algorithm, outage: 'closed', timeout: '5s' })
    const decisions = [await limiter.limit('a'), await limiter.limit('a'), await limiter.limit('a')]
    // When the store does not reply, `outage` decides. `ready` then rejects with the reason.
    const lost = decisions.find(({ reason }) => reason === 'unavailable' || reason === 'timeout')
    if (lost) await store.ready()
    expectSame(
      'limit',
      decisions.map(({ success }) => success),
      [true, true, false],
    )
    await limiter.refund('a')
    await limiter.block('a', '1s')
    await limiter.reset('a')
  }
}

async function locks({ store, namespace }: Trial): Promise<void> {
  const locks = createLocks({ store, namespace, ttl: '30s' })
  const lock = await locks.acquire('a')
  expectSame('acquire', [!!lock, !(await locks.acquire('a'))], [true, true])
  expectSame('extend and release', [await lock?.extend(), await lock?.release()], [true, true])
}

async function sessions({ store, namespace }: Trial): Promise<void> {
  const secrets = [crypto.getRandomValues(new Uint8Array(32))]
  const sessions = createSessions<{ user: string }>({ store, namespace, secrets, idle: '1m', absolute: '1m' })
  const session = await sessions.open({ headers: new Headers(), url: 'https://localhost/' })
  session.set('user', 'u')
  await session.save()
  await session.destroy()
}

async function counters({ store, namespace }: Trial): Promise<void> {
  const counter = createCounter({ store, namespace, name: 'n', ttl: LIFE_MS })
  expectSame('increment', [await counter.increment('a'), await counter.increment('a', 4)], [1, 5])
  await createCounter({ store, namespace, name: 'w', window: '1m' }).increment('a')
}

async function near({ store, namespace }: Trial): Promise<void> {
  const { publish, subscribe } = store
  if (!publish || !subscribe) throw new NoFeed()
  let hear = (): void => {}
  const heard = new Promise<void>((resolve) => {
    hear = resolve
  })
  const end = await subscribe(`${namespace}:feed`, () => hear())
  try {
    const late = new Promise<never>((_, reject) => setTimeout(() => reject(new NoFeed()), 3000).unref())
    for (let i = 0; i < 3; i++) await publish(`${namespace}:feed`, 'a')
    await Promise.race([heard, late])
  } finally {
    await end()
  }
}

/** No message arrives, so that only `near.maxAge` bounds how stale a near tier entry may be. */
export class NoFeed extends Error {}

const words = (text: string): string[] => text.split(' ')

export const FEATURES: Readonly<Record<string, Feature>> = {
  cache: { run: cache, commands: words('DEL EXISTS GETRANGE PERSIST PEXPIRE PTTL SETRANGE TIME') },
  limits: {
    run: limits,
    commands: words('DEL GETRANGE PEXPIRE PTTL TIME ZADD ZCARD ZRANGE ZRANGEBYSCORE ZREM ZREMRANGEBYSCORE'),
  },
  locks: { run: locks, commands: words('PTTL TIME') },
  sessions: { run: sessions, commands: words('DEL GETRANGE INCR PEXPIRE PTTL SETRANGE TIME') },
  counters: { run: counters, commands: words('GETRANGE INCRBY STRLEN TIME') },
  near: { run: near, commands: words('PUBLISH SUBSCRIBE UNSUBSCRIBE'), channels: true },
}
const EVERYWHERE = words('PING HELLO SELECT GET MGET SET UNLINK')

/** Commands that every user of a Cluster needs to find the node of a key, also while a slot moves. */
const OF_CLUSTER = words('ASKING CLUSTER|SLOTS')

interface Server {
  /** Whether the server runs scripts. Otherwise operations run under WATCH. */
  readonly scripts: boolean
  readonly cluster: boolean
}

/** The least rights of a Redis user that runs these features. */
export function aclOf(features: readonly string[], { scripts, cluster }: Server): string {
  const used = features.flatMap((name) => FEATURES[name]?.commands ?? [])
  const way = scripts ? ['EVAL', 'EVALSHA'] : words('WATCH UNWATCH MULTI EXEC PTTL TIME')
  const all = [...new Set([...EVERYWHERE, ...way, ...used, ...(cluster ? OF_CLUSTER : [])])].map(
    (name) => `+${name.toLowerCase()}`,
  )
  const channels = features.some((name) => FEATURES[name]?.channels) ? ' &*' : ''
  return `ACL SETUSER app on >PASSWORD resetkeys ~* resetchannels${channels} -@all ${all.sort().join(' ')}`
}

/** Writes a value, and replies 1. */
export const write: Operation<readonly [value: string, lifeMs: number], number> = {
  name: 'doctor.write',
  effect: 'repeat',
  lua: `redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1`,
  apply: (_, [value, ms]) => ({ next: value, ttl: { ms }, reply: 1 }),
}
