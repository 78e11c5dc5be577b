import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memcachedStore } from '../../adapters/memcached/index.ts'
import { natsStore } from '../../adapters/nats/index.ts'
import { startServer } from '../../scripts/servers.ts'
import type { AtomicStore } from '../../src/store/store.ts'
import { type Chance, createChance } from '../simulation/chance.ts'
import { rounds } from '../support/rounds.ts'
import { seedOfTheDay } from '../support/seed.ts'
import { createByteProxy } from './support/byte-proxy.ts'
import { type Called, describeHistory, isLinearizable } from './support/linearizable.ts'
import { anywhere, type Kind, type Make, overCommands } from './support/random-kinds.ts'
import { pause, startWay, type WayName } from './support/ways.ts'

// Random calls of several callers on one key, over connections that are cut, refused, held up, or lose replies. There is an order
// of the calls that explains what each resolved to. A call that says that it has not run is not in it; one that may have run
// takes effect once, at any moment after its start, or never.

const KEYS = rounds({ quick: 3, soak: 300 })
const STORES = 3
const CALLERS = 5
const CALLS = 5
const TIMEOUT_MS = 250

interface Opened {
  readonly stores: readonly AtomicStore[]
  readonly direct: AtomicStore
  /** Begins a fault. */
  trouble(chance: Chance): Promise<void> | void
  /** Ends it. */
  calm(): Promise<void>
  stop(): Promise<void>
}

const over = (name: WayName) => async (): Promise<Opened> => {
  const way = await startWay(name)
  const stores: AtomicStore[] = []
  for (let i = 0; i < STORES; i++) stores.push(await way.open({ timeoutMs: TIMEOUT_MS }))
  return {
    stores,
    direct: way.direct,
    trouble: (chance) => {
      const lose = (): void => way.lose(() => chance.hit(0.4))
      return chance.pick([lose, lose, lose, way.cut, way.refuse, way.stall])()
    },
    calm: way.pass,
    stop: way.stop,
  }
}

async function overBytes(program: 'memcached16' | 'nats', open: (port: number) => AtomicStore): Promise<Opened> {
  const server = await startServer(program)
  const proxy = await createByteProxy(Number(new URL(server.url).port))
  const stores = Array.from({ length: STORES }, () => open(proxy.port))
  const direct = open(Number(new URL(server.url).port))
  await direct.ready()
  return {
    stores,
    direct,
    trouble: ({ pick }) => pick([proxy.mute, proxy.mute, proxy.mute, proxy.cut, proxy.refuse, proxy.stall])(),
    calm: proxy.pass,
    async stop() {
      await Promise.all([...stores, direct].map((store) => store.close()))
      await proxy.stop()
      await server.stop()
    },
  }
}
const local = (scheme: string, port: number): string[] => [`${scheme}://127.0.0.1:${port}`]

const ways: Readonly<Record<string, () => Promise<Opened>>> = {
  'own TCP': over('own TCP'),
  ioredis: over('TCP'),
  REST: over('REST'),
  memcached: () =>
    overBytes('memcached16', (port) => memcachedStore({ servers: local('memcached', port), timeoutMs: TIMEOUT_MS })),
  NATS: () =>
    overBytes('nats', (port) =>
      natsStore({
        servers: local('nats', port),
        bucket: 'random',
        storage: 'memory',
        timeoutMs: TIMEOUT_MS,
        connect: { reconnectTimeWait: 20 },
      }),
    ),
}

/** Makes a call, and adds it to the history unless it says that it has changed nothing. */
async function play(history: Called[], moment: () => number, make: Make): Promise<void> {
  const called: Called = { name: make.name, args: make.args, id: moment(), start: moment(), end: 0 }
  try {
    called.result = await make.call()
    if (make.again === 'always') history.push({ ...called, isUnknown: true })
  } catch (error) {
    const { code, maybeExecuted } = error as { code?: string; maybeExecuted?: boolean }
    if (code !== 'STORE_UNAVAILABLE' && code !== 'TIMEOUT') throw error
    if (make.isRead || maybeExecuted === false) return
    called.isUnknown = true
    if (make.again) history.push({ ...called })
  }
  called.end = moment()
  history.push(called)
}

async function historyOf(kind: Kind, chance: Chance): Promise<Called[]> {
  const history: Called[] = []
  let at = 0
  const moment = (): number => ++at
  const caller = async (_: unknown, store: number): Promise<void> => {
    for (let i = 0; i < CALLS; i++) {
      await play(history, moment, kind.next(store, chance))
      if (chance.hit(0.3)) await pause(chance.below(10))
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  return history
}

describe.each(Object.keys(ways))('random calls over %s', (name) => {
  let opened: Opened
  beforeAll(async () => {
    opened = await (ways[name] as () => Promise<Opened>)()
  })
  afterAll(() => opened?.stop())

  const kinds = /memcached|NATS/.test(name) ? anywhere : { ...anywhere, ...overCommands }
  it('have results that one order explains', { timeout: 3_600_000 }, async () => {
    const seed = seedOfTheDay()
    const chance = createChance(seed)
    let isOver = false
    let unjudged = 0
    const troubles = async (): Promise<void> => {
      while (!isOver) {
        await pause(chance.below(30))
        await opened.trouble(chance)
        await pause(chance.below(50))
        await opened.calm()
      }
    }
    const troubled = troubles()
    const playKey = async (kind: string, key: string): Promise<void> => {
      const made = await (kinds[kind] as (typeof anywhere)[string])({ ...opened, key, chance })
      const history = await historyOf(made, chance)
      const isExplained = isLinearizable(history, made.model)
      if (isExplained === undefined) unjudged++
      if (isExplained !== false) return
      throw new Error(`seed ${seed}, ${kind}: no order explains\n${describeHistory(history)}`)
    }
    try {
      for (let i = 0; i < KEYS; i++) await Promise.all(Object.keys(kinds).map((kind) => playKey(kind, `${kind} ${i}`)))
    } finally {
      isOver = true
      await troubled
    }
    expect(unjudged).toBeLessThan((KEYS * Object.keys(kinds).length) / 2)
  })
})
