/** Short trials of what a store can do. Each probe resolves to the cell of its column, or rejects if the feature fails. */
import { type AtomicStore, type CommandStore, createCache, HitherError } from 'hither'
import { channel } from 'hither/channel'
import { messageFeed, nearTier, pullFeed } from 'hither/near'
import { bitmap, geo, hash, hyperLogLog, list, set, sortedSet, stream } from 'hither/structures'
import { testCounter } from 'hither/testing'
import { FEATURES } from '../../cli/doctor-features.ts'
import { askServer } from '../../cli/stores.ts'

export interface Trial {
  readonly store: AtomicStore
  /** A namespace that no other probe uses. */
  readonly namespace: string
  /** Whether operations have run under WATCH. */
  readonly usesWatch?: () => boolean
  /** Opens a store with a separate connection, which the probe closes. */
  readonly another?: () => Promise<AtomicStore>
}

export type Probe = (trial: Trial) => Promise<string>

const LIFE_MS = 60_000
/** Longest wait for an event, such as a message or the end of a lifetime. */
const PATIENCE_MS = 15_000

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

function expectSame(what: string, found: unknown, expected: unknown): void {
  if (JSON.stringify(found) !== JSON.stringify(expected)) throw new Error(`${what} did not do what it says`)
}

async function eventually(what: string, condition: () => Promise<boolean>): Promise<void> {
  const endAt = performance.now() + PATIENCE_MS
  while (!(await condition())) {
    if (performance.now() > endAt) throw new Error(`${what}: not within ${PATIENCE_MS} ms`)
    await pause(25)
  }
}

async function plain({ store, namespace }: Trial): Promise<string> {
  const [a, b] = [`${namespace}:a ü`, `${namespace}:b`]
  await store.set(a, 'ü\r\n', LIFE_MS)
  expectSame('get', [await store.get(a), await store.getMany([b, a])], ['ü\r\n', [null, 'ü\r\n']])
  expectSame('delete', [await store.delete([a, b]), (await store.get(a)) === undefined], [1, true])
  return 'yes'
}

/** Number of callers, each on its own connection, and how often each adds one. */
const CALLERS = 8
const TIMES = 100

/** If operations are atomic across connections, no two sums are the same. The cell says how operations run. */
async function operations({ store, namespace, another, usesWatch }: Trial): Promise<string> {
  const key = `${namespace}:n`
  const stores = await Promise.all(Array.from({ length: CALLERS }, () => another?.() ?? store))
  const sums: number[] = []
  const work = stores.map(async (own) => {
    for (let i = 0; i < TIMES; i++) {
      sums.push(await own.run(testCounter, key, [1, LIFE_MS], { deadline: Date.now() + LIFE_MS }))
    }
  })
  await Promise.all(work)
  if (another) await Promise.all(stores.map((own) => own.close()))
  expectSame('run', [new Set(sums).size, await store.get(key)], [CALLERS * TIMES, `${CALLERS * TIMES}`])
  if (!store.traits.shared) return 'in process'
  if (!store.transport) return 'compare-and-swap'
  if (usesWatch?.()) return 'WATCH'
  return (await askServer(store, 'EVAL', 'return 1', 0)) === 1 ? 'scripts' : 'WATCH'
}

/** Tries a feature as `hither doctor` does. */
const feature =
  (name: string): Probe =>
  async (trial) => {
    await FEATURES[name]?.run(trial)
    return 'yes'
  }

type Space = { readonly store: CommandStore; readonly namespace: string }

/** Each writes to a structure, and resolves to what it reads back, which must be 1. */
const STRUCTURES: Readonly<Record<string, (space: Space) => Promise<unknown>>> = {
  hashes: async (space) => ((await hash(space, 'h').set('f', 1)) ? hash(space, 'h').get('f') : 0),
  lists: async (space) => ((await list(space, 'l').append([2, 1])) === 2 ? list(space, 'l').takeLast() : 0),
  sets: async (space) => ((await set(space, 's').add(['a', 'a'])) === 1 ? set(space, 's').size() : 0),
  'sorted sets': async (space) => {
    await sortedSet(space, 'z').setMany([
      ['a', 2],
      ['b', 5],
    ])
    return sortedSet(space, 'z').rank('b')
  },
  streams: async (space) => ((await stream(space, 'x').append({ a: 1 })) ? stream(space, 'x').size() : 0),
  bitmaps: async (space) => ((await bitmap(space, 'b').set(7, 1)) === 0 ? bitmap(space, 'b').count() : 0),
  HyperLogLogs: async (space) => ((await hyperLogLog(space, 'p').add(['a'])) ? hyperLogLog(space, 'p').count() : 0),
  positions: async (space) => {
    await geo(space, 'g').set('a', { longitude: 2.35, latitude: 48.86 })
    return geo(space, 'g').size()
  },
}

/** Tries all structures. The cell names those that the server does not know. */
async function structures({ store, namespace }: Trial): Promise<string> {
  const unknown: string[] = []
  for (const [name, works] of Object.entries(STRUCTURES)) {
    const found = await works({ store: store as CommandStore, namespace }).catch((error: unknown) => {
      if (!/this server has no/.test(String(error))) throw error
      unknown.push(name)
      return 1
    })
    expectSame(name, found, 1)
  }
  return unknown.length === 0 ? 'yes' : `all but ${unknown.join(', ')}`
}

async function channels({ store, namespace }: Trial): Promise<string> {
  const news = channel<string>({ store, namespace }, 'news')
  const subscription = news.subscribe({ signal: AbortSignal.timeout(PATIENCE_MS) })
  await subscription.ready
  await news.publish('ü')
  for await (const item of subscription) {
    if (item.type === 'gap') continue
    expectSame('publish', item.value, 'ü')
    break
  }
  return 'yes'
}

/** When one cache writes, the near tier entry of another cache must end long before its `maxAge`. */
async function nearFeed({ store, namespace }: Trial): Promise<string> {
  const open = (feed: () => ReturnType<typeof messageFeed> | ReturnType<typeof pullFeed>) => {
    const near = () => nearTier({ maxAge: '1m', feed: feed() })
    return [0, 1].map(() => createCache({ store: shared(store), namespace, ttl: LIFE_MS, near: near() }))
  }
  let way = 'messages'
  let caches: ReturnType<typeof open>
  try {
    caches = open(messageFeed)
  } catch (error) {
    if (!isRefusal(error)) throw error
    way = 'pulled'
    caches = open(() => pullFeed({ every: 50 }))
  }
  const [reader, writer] = caches as [(typeof caches)[0], (typeof caches)[0]]
  await writer.set('a', 1)
  expectSame('get', [await reader.get('a'), await reader.get('a')], [1, 1])
  await writer.set('a', 2)
  await eventually('feed', async () => {
    await reader.get('b') // a pulled feed is read only along with a read from the store
    return (await reader.get('a')) === 2
  })
  await Promise.all(caches.map((cache) => cache.close()))
  return way
}

/** The store, such that a cache that closes leaves it open. */
const shared = (store: AtomicStore): AtomicStore => ({ ...store, close: async () => {} })

async function scan({ store, namespace }: Trial): Promise<string> {
  if (!store.scan) throw new HitherError('UNSUPPORTED', 'no scan')
  const keys = Array.from({ length: 30 }, (_, i) => `${namespace}:${i}`)
  await Promise.all(keys.map((key) => store.set(key, 'x', LIFE_MS)))
  const found = new Set<string>()
  await eventually('scan', async () => {
    for await (const key of store.scan?.(`${namespace}:*`) ?? []) found.add(key)
    return found.size >= keys.length
  })
  expectSame('scan', [...found].toSorted(), keys.toSorted())
  return 'yes'
}

/** An entry of the shortest lifetime ends, and one of a minute does not. */
async function lifetime({ store, namespace }: Trial): Promise<string> {
  const { ttlStepMs } = store.traits
  await store.set(`${namespace}:long`, 'x', LIFE_MS)
  await store.set(`${namespace}:short`, 'x', ttlStepMs)
  await eventually('lifetime', async () => (await store.get(`${namespace}:short`)) === undefined)
  expectSame('lifetime', await store.get(`${namespace}:long`), 'x')
  return ttlStepMs < 1000 ? `${ttlStepMs} ms` : `${ttlStepMs / 1000} s`
}

async function longestKey({ store, namespace }: Trial): Promise<string> {
  const { maxKeyBytes } = store.traits
  const key = `${namespace}:`.padEnd(maxKeyBytes, 'k')
  await store.set(key, 'x', LIFE_MS)
  expectSame('a long key', await store.get(key), 'x')
  await refuses('INVALID_KEY', store.set(`${key}k`, 'x', LIFE_MS))
  return bytes(maxKeyBytes)
}

async function largestValue({ store, namespace }: Trial): Promise<string> {
  const { maxValueBytes } = store.traits
  const value = 'v'.repeat(maxValueBytes)
  const call = { deadline: Date.now() + LIFE_MS }
  await store.set(`${namespace}:v`, value, LIFE_MS, call)
  if ((await store.get(`${namespace}:v`, call)) !== value) throw new Error('a large value is not read as written')
  await refuses('VALUE_TOO_LARGE', store.set(`${namespace}:v`, `${value}v`, LIFE_MS))
  await store.delete([`${namespace}:v`])
  return bytes(maxValueBytes)
}

async function refuses(code: string, work: Promise<unknown>): Promise<void> {
  const found = await work.then(
    () => undefined,
    (error: { code?: unknown }) => error.code,
  )
  expectSame(code, found, code)
}

const MIB = 1024 * 1024
const bytes = (count: number): string =>
  count % MIB === 0 ? `${count / MIB} MiB` : count % 1024 === 0 ? `${count / 1024} KiB` : `${count} B`

/** Whether the error says that the store does not support this, as opposed to a fault. */
export const isRefusal = (error: unknown): boolean => (error as { code?: unknown } | null)?.code === 'UNSUPPORTED'

/** The probes by column. The cell is `no` if the store says that it does not support the feature. */
export const WORKS: Readonly<Record<string, Probe>> = {
  'get, set, delete': plain,
  operations,
  'cache, tags': feature('cache'),
  limits: feature('limits'),
  locks: feature('locks'),
  sessions: feature('sessions'),
  counters: feature('counters'),
  structures,
  channels,
  'near feed': nearFeed,
  scan,
}

export const LIMITS: Readonly<Record<string, Probe>> = {
  'shortest lifetime': lifetime,
  'longest key': longestKey,
  'largest value': largestValue,
  'ends lifetimes by': async ({ store: { traits } }) =>
    traits.shared && traits.clock === 'server' ? "the server's clock" : "the process's clock",
  'reads see': async ({ store }) =>
    ({ strong: 'every acknowledged write', session: 'its own writes', eventual: 'older values at times' })[
      store.traits.consistency
    ],
}
