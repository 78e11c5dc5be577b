import type { Cache, CallOptions, GetOrSetOptions, LoadContext, WriteOptions } from '../../src/cache/types.ts'
import { generationKey, storedKey, tagKey } from '../../src/protocol/keys.ts'
import { behavioursOf } from './behaviours.ts'
import type { Boot } from './build.ts'
import { createChance } from './chance.ts'
import { type Asking, hasFailed, idOf, type Life, type Names } from './facts.ts'
import { connect, createBus, type Link } from './network.ts'
import { oneAtATime } from './one-at-a-time.ts'
import { createOracle, type Oracle } from './oracle.ts'
import { createServer, type Server } from './server.ts'
import { createWorld, type Machine } from './world.ts'

export interface Outcome {
  readonly seed: number
  /** What must not have happened; undefined: all is well. */
  readonly fault: string | undefined
  /** What happened, the last of it, where it was asked for. */
  readonly trace: readonly string[]
  readonly calls: number
  readonly events: number
  readonly checks: number
  /** Virtual milliseconds. */
  readonly spanMs: number
  /** How often what was met and checked. */
  readonly counts: Readonly<Record<string, number>>
}

interface Node {
  readonly name: string
  readonly machine: Machine
  readonly cache: Cache<'frozen'>
  readonly link: Link
  readonly life: Life
  /** Calls that delete, and whether they have sent it. */
  readonly deletes: Set<Deleting>
}

interface Deleting {
  readonly key: string
  sent: boolean
}

interface Space {
  readonly names: Names
  of(node: Node): Cache<'frozen'>
}

/** A call that has not settled. */
interface Open {
  readonly what: string
  readonly node: Node
}

const KEYS = ['a', 'b', 'c']
const TAGS = ['t', 'u', 'v']
const COUNTER = 'n'
const STORE_MS = 250
/** How long a message takes to arrive and be told, where none is lost. */
const FEED_MS = 500
/** How late the near tier may look at the clock. */
const COARSE_MS = 1100
/** Longer than any lease, load, lifetime and message. */
const LONG_MS = 40_000
const FAILED = new Error('the loader failed')
const LEFT = new Error('the caller left')

/** Plays one seed: random calls on some nodes over a bad network, then peace, and looks whether all is well. */
export async function simulate(
  seed: number,
  boot: Boot,
  {
    tracing = false,
    most = 160,
    keep = 50,
  }: { readonly tracing?: boolean; readonly most?: number; readonly keep?: number } = {},
): Promise<Outcome> {
  const plan = createChance(seed)
  const network = createChance(seed ^ 0x5bd1e995)
  const world = createWorld(seed ^ 0x2c1b3c6d)
  const begin = world.time
  // Now and then longer than a lease, which is then renewed.
  const long = seed % 6 === 0
  const hardMs = long ? 9000 : 1500
  const lives = new Map<string, Life>()
  let oracle: Oracle
  const trace: string[] = []
  const tell = (who: string, what: () => string): void => {
    // What comes after a fault does not explain it.
    if (!tracing || oracle?.fault) return
    trace.push(`${(world.time - begin).toFixed(2).padStart(10)} ${who.padEnd(4)} ${what()}`)
    if (trace.length > 4000) trace.splice(0, 2000)
  }
  const bus = createBus(world, network)
  let server: Server
  const { events, pulls, plain, chance: extra, finishes, shares, loads } = behavioursOf(seed)
  const names = plain ? [PLAIN_NAMES] : [namesOf('sim'), namesOf('sim.sub')]
  oracle = createOracle({ world, server: () => server, lives, spaces: names, hardMs, plain })
  server = createServer(
    world,
    (effect) => {
      tell(
        '',
        () =>
          `       ${effect.from || 'the server'}: ${effect.name} ${effect.args[0] ?? ''} ${effect.key} → ${short(effect.after)}${effect.reply === null ? '' : ` (${effect.reply})`}`,
      )
      oracle.effect(effect)
    },
    bus.publish,
  )

  const weather = plan.pick([0, 0.3, 1, 2])
  // What does not arrive needs a store that fails.
  // What the log of changes brings in time shows where nothing is lost.
  const calm = pulls && !events && extra.hit(0.6)
  const harsh = calm ? 0 : events ? Math.max(weather, 0.3) : weather
  const count = 1 + plan.below(4)
  const ttl = plan.pick([400, 3000, 3000, 60_000])
  const anyGrace = plan.pick([0, 0, 500, 5000])
  const grace = plain ? 0 : anyGrace
  const skews = plan.hit(0.3)
  /** Whether a load that failed is let rest: the stale copy may then answer any later call. */
  const backs = plan.hit(0.2)
  const inOrder = plan.hit(0.5)
  const anyTier = plan.pick(['none', 'none', 'near', 'feed'])
  const tier = pulls ? 'pull' : events && anyTier === 'none' ? 'near' : anyTier
  const anyAge = plan.pick([300, 2000])
  const maxAge = events ? extra.pick([anyAge, anyAge, 8000]) : anyAge
  /** With nothing lost, what another node has ended is known soon. */
  const lateMs = tier === 'none' ? 0 : tier === 'feed' && harsh === 0 ? FEED_MS : maxAge + COARSE_MS
  const nodes: Node[] = []
  const open = new Set<Open>()
  const all: Node[] = []

  const start = (place: number): void => {
    const name = `${place}${all.length < count ? '' : `.${all.length}`}`
    const machine = world.machine(name)
    if (skews) machine.skewMs = plan.between(-1000, 1000) * (plan.hit(0.2) ? 3600 : 1)
    const life: Life = {
      lateMs,
      failures: 0,
      open: false,
      maxAgeMs: tier === 'none' ? 0 : maxAge,
      feedless: tier === 'near',
      pulledMs: 0,
      heardAt: 0,
      jumps: 0,
      now: () => machine.now(),
      isUp: (ms) => !machine.dead && machine.pausedUntil < world.time - ms,
    }
    lives.set(name, life)
    const link: Link = {
      delayMs: plan.pick([0.3, 2, 10]),
      loss: 0.01 * harsh + (events ? extra.pick([0, 0.03, 0.1]) : 0),
      stall: 0.005 * harsh,
      ghost: 0.01 * harsh,
      cut: 'no',
      inOrder,
    }
    const deletes = new Set<Deleting>()
    /** By key, when what was answered last was asked. */
    const { createCache, HitherError, messageFeed, nearTier, pullFeed } = boot(machine)
    const store = connect(world, network, machine, server, bus, link, HitherError, {
      sent: (what) => tell(name, () => `       sends ${what}`),
      failed: () => {
        life.failures++
        tell(name, () => '       hears nothing')
      },
      changing(keys, by, text) {
        const id = Number(/"id":(\d+)\}$/.exec(text)?.[1] ?? Number.NaN) || undefined
        for (const key of keys) oracle.unarrived.touched(name, key, by, id)
        if (id && by === 1) oracle.sent(id)
      },
      late([key = '']) {
        // A version.
        if (key.startsWith(':')) return undefined
        // Which of them has sent it, or whether another one has, cannot be told.
        const open = [...deletes].filter((one) => one.key === key)
        for (const one of open) one.sent = true
        if (open.length > 0) return undefined
        return { sentAt: world.tick() }
      },
      pulled(sentMs) {
        if (harsh === 0) life.pulledMs = sentMs
      },
      lost: (value) => oracle.lost(JSON.parse(value)),
    })
    const feed =
      tier === 'feed' ? messageFeed() : tier === 'pull' ? pullFeed({ every: extra.pick([50, 1000]) }) : undefined
    const own = plain ? { format: 'plain' } : { namespace: 'sim', grace }
    const cache = createCache({
      store,
      ...(tier === 'none' ? {} : { near: nearTier({ maxAge, ...(feed && { feed }) }) }),
      ...(own as { namespace: string }),
      ttl,
      storeTimeout: STORE_MS,
      hardTimeout: hardMs,
      onEvent(event) {
        if (event.type === 'breaker') {
          life.open = event.open
          life.failures++
        }
        if (event.type !== 'hit' && event.type !== 'miss')
          tell(name, () => `       event ${brief({ ...event, namespace: undefined })}`)
      },
    })
    nodes[place] = { name, machine, cache, link, life, deletes }
    all.push(nodes[place])
  }
  for (let i = 0; i < count; i++) start(i)

  const spaces: Space[] = names.map((names, i) => ({
    names,
    of: ({ cache }) => (i === 0 ? cache : cache.namespace('sub')),
  }))

  let ids = 0
  let calls = 0

  /** Makes one call and judges its answer. */
  const make = (
    node: Node,
    space: Space,
    what: string,
    call: (asking: Asking) => Promise<unknown>,
    settled: (asking: Asking, answer: unknown) => void,
    mayReject: (asking: Asking, error: unknown) => boolean = () => false,
    /** An outage of the store does not fail it. */
    survives = false,
  ): void => {
    calls++
    const asking: Asking = {
      node: node.name,
      names: space.names,
      from: world.tick(),
      since: world.time,
      failures: node.life.failures,
      heardAt: node.life.heardAt,
      jumps: node.life.jumps,
      clockMs: node.machine.now(),
      pulledMs: node.life.pulledMs,
    }
    const me: Open = { what: `${node.name} ${what} (call ${asking.from})`, node }
    open.add(me)
    tell(node.name, () => `${what} (call ${asking.from})`)
    const end = (how: () => string): void => {
      open.delete(me)
      tell(node.name, () => `       ${what} (call ${asking.from}): ${how()}`)
    }
    call(asking).then(
      (answer) => {
        settled(asking, answer)
        end(() => brief(answer))
      },
      (error: unknown) => {
        end(() => `rejected with ${error}`)
        const isStore = !survives && hasFailed(node.life, asking) && isCode(error, 'TIMEOUT', 'STORE_UNAVAILABLE')
        if (!isStore && !mayReject(asking, error)) oracle.fail(`${node.name} ${what} rejected with ${error}`)
      },
    )
  }

  const act = (): void => {
    const node = plan.pick(nodes)
    const space = (plan.hit(0.85) ? spaces[0] : spaces.at(-1)) as Space
    const key = plan.hit(0.6) ? 'a' : plan.pick(KEYS)
    ACTIONS[plan.below(ACTIONS.length)]?.(node, space, key)
  }
  const someTags = (): string[] => (plan.hit(0.5) || plain ? [] : TAGS.filter(() => plan.hit(0.4)))
  /** Whose failure is an event, now and then. */
  const asEvent = (): { readonly onWriteFailure?: 'event' } =>
    events && extra.hit(0.6) ? { onWriteFailure: 'event' } : {}
  /** Whether a write may have ended as an event. */
  const isDropped = (asking: Asking, { onWriteFailure, deadline }: WriteOptions): boolean =>
    onWriteFailure === 'event' && (deadline !== undefined || hasFailed(lives.get(asking.node) as Life, asking))
  /** What may drop these keys from the near tier goes on until it has settled. */
  const touching = async <T>(
    asking: Asking,
    keys: readonly string[],
    work: () => Promise<T>,
    id?: number,
  ): Promise<T> => {
    const touch = (by: 1 | -1): void => {
      for (const key of keys) oracle.unarrived.touched(asking.node, key, by, id)
    }
    touch(1)
    try {
      return await work()
    } finally {
      touch(-1)
    }
  }
  /** How a call may end early. */
  const limits = (node: Node): { signal?: AbortSignal; deadline?: number } => {
    const limit: { signal?: AbortSignal; deadline?: number } = {}
    if (plan.hit(0.1)) {
      const controller = new AbortController()
      limit.signal = controller.signal
      world.after(plan.about(30), () => controller.abort(LEFT), node.machine)
    }
    if (plan.hit(0.1)) limit.deadline = node.machine.now() + 1 + Math.floor(plan.about(200))
    return limit
  }
  const early =
    (limit: CallOptions) =>
    (_: Asking, error: unknown): boolean =>
      (error === LEFT && !!limit.signal) || (isCode(error, 'TIMEOUT') && limit.deadline !== undefined)
  const heard = (asking: Asking): void => {
    ;(lives.get(asking.node) as Life).heardAt = world.tick()
  }

  /** By node and key, when a load last failed. */
  const failures = new Map<string, number>()
  const begins = oneAtATime(world, oracle, hardMs)
  /** By node and key, since which virtual instants loads have been running. */
  const running = new Map<string, Set<{ readonly since: number }>>()
  const during = async <T>(whose: readonly string[], since: number, work: () => Promise<T>): Promise<T> => {
    const run = { since }
    for (const who of whose) running.set(who, (running.get(who) ?? new Set()).add(run))
    let failed = true
    try {
      const result = await work()
      failed = world.time - since > hardMs - 2
      return result
    } finally {
      for (const who of whose) {
        running.get(who)?.delete(run)
        if (failed) failures.set(who, world.tick())
      }
    }
  }
  const ranLong = (who: string): boolean =>
    [...(running.get(who) ?? [])].some(({ since }) => world.time - since > hardMs - 2)
  const loaderOf = (node: Node, asking: Asking, key: string, options: GetOrSetOptions, many: boolean) => {
    const length = plan.hit(0.05)
      ? plan.between(hardMs, 2 * hardMs)
      : plan.hit(0.3)
        ? plan.about(long ? 4000 : 300)
        : plan.about(15)
    const end = plan.float()
    const named = plan.hit(0.1) ? someTags() : []
    const who = `${node.name} ${asking.names.key(key)}`
    return async ({
      setTags,
      setTtl,
      skip,
      notModified,
      fail,
      previous,
      signal,
    }: Partial<LoadContext>): Promise<unknown> => {
      const past = options.deadline !== undefined && options.deadline <= node.machine.now()
      const load = oracle.loading(asking, key, !!options.bypass || past || plain)
      const ran = plain ? begins(asking, asking.names.key(key), node.life, signal) : undefined
      tell(
        node.name,
        () =>
          `       loads ${asking.names.key(key)} (call ${asking.from}, at ${load.began}) for ${length.toFixed(1)} ms`,
      )
      const started = world.time
      await (many ? world.sleep(length, node.machine) : during([who], started, () => world.sleep(length, node.machine)))
      if (!many) load.ended()
      ran?.()
      oracle.unarrived.touched(node.name, asking.names.key(key), 0)
      const late = !many && world.time - started > hardMs + 100 && node.life.isUp(world.time - started)
      if (end < 0.1) {
        failures.set(who, world.tick())
        tell(node.name, () => `       fails to load ${asking.names.key(key)} (at ${load.began})`)
        if (end < 0.05 && fail) fail(FAILED)
        throw FAILED
      }
      if (end < 0.15 && notModified && previous !== undefined) {
        const id = idOf(previous.value)
        if (id !== undefined) oracle.loaded(id, load, asking, key, options.tags ?? [], [])
        tell(node.name, () => `       #${id} of ${asking.names.key(key)} is not modified (at ${load.began})`)
        return notModified()
      }
      if (end < 0.18) return undefined
      const id = ++ids
      const skips = end < 0.28 && skip
      const unstored = skips ? 'which was to be skipped' : late ? 'whose loader ran longer than hardTimeout' : undefined
      if (end < 0.25 && setTtl) setTtl(plan.pick([100, 2000]), plan.pick([0, 1000]))
      if (named.length > 0 && setTags) setTags(named)
      oracle.loaded(id, load, asking, key, options.tags ?? [], setTags ? named : [], unstored)
      tell(node.name, () => `       has loaded #${id} for ${asking.names.key(key)} (at ${load.began})`)
      const value = { key, id }
      return skips ? skips(value) : value
    }
  }
  const loadOptions = (node: Node, many: boolean): GetOrSetOptions => {
    const options: Record<string, unknown> = { ...(!plain && { tags: someTags() }), ...limits(node) }
    if (plan.hit(0.3)) options.ttl = plan.pick([50, 300, 2000])
    if (plain) return options
    if (plan.hit(0.3)) options.grace = plan.pick([0, 300, 5000])
    const stale = Number(options.grace ?? grace) > 0
    if (stale && plan.hit(0.2)) options.softTimeout = plan.pick([0, 5, 50])
    if (backs && plan.hit(0.2)) options.backoff = plan.pick([100, 1000])
    if (plan.hit(0.1)) options.jitter = 0.3
    if (plan.hit(0.05)) options.negativeTtl = 100
    if (plan.hit(0.05)) options.onDeadline = 'load'
    if (finishes && loads.hit(0.3)) options.finish = true
    if (shares && loads.hit(0.3)) options.shareFailure = loads.pick([50, 1000])
    const kind = plan.float()
    if (kind < 0.08) options.forceFresh = true
    else if (kind < 0.12 && !many) options.bypass = true
    else if (kind < 0.2 && !many)
      options.refresh = (entry: { freshUntilMs: number; writtenMs: number; nowMs: number }) =>
        entry.nowMs >= entry.writtenMs + (entry.freshUntilMs - entry.writtenMs) / 2
    return options
  }
  /** Whether a stale answer may have been due. */
  const wasTrouble = (asking: Asking, key: string, options: GetOrSetOptions): boolean => {
    const who = `${asking.node} ${asking.names.key(key)}`
    const at = failures.get(who) ?? 0
    return (
      ranLong(who) ||
      world.time - asking.since > hardMs - 2 ||
      options.softTimeout !== undefined ||
      options.shareFailure !== undefined ||
      options.signal !== undefined ||
      options.deadline !== undefined ||
      hasFailed(lives.get(asking.node) as Life, asking) ||
      at > asking.from ||
      backs
    )
  }
  const mayFail =
    (key: string | readonly string[], options: GetOrSetOptions) =>
    (asking: Asking, error: unknown): boolean =>
      error === FAILED ||
      (isCode(error, 'LOAD_FAILED') && options.shareFailure !== undefined) ||
      early(options)(asking, error) ||
      (isCode(error, 'TIMEOUT') &&
        [key].flat().some((one) => {
          const who = `${asking.node} ${asking.names.key(one)}`
          return ranLong(who) || world.time - asking.since > hardMs - 2 || (failures.get(who) ?? 0) > asking.from
        }))

  const read = (
    asking: Asking,
    key: string,
    answer: unknown,
    how: {
      readonly exact?: boolean
      readonly taken?: boolean
      readonly settled?: boolean
      readonly near?: boolean
    } = {},
  ): void => {
    heard(asking)
    if (answer !== undefined && (answer as { key?: unknown })?.key !== key)
      oracle.fail(`${asking.node} got ${brief(answer)} for ${key}`)
    oracle.answered(asking, key, idOf(answer), { exact: true, near: true, maybeStale: false, ...how })
  }
  const readThrough = (asking: Asking, key: string, answer: unknown, options: GetOrSetOptions): void => {
    if (answer !== undefined && (answer as { key?: unknown })?.key !== key)
      oracle.fail(`${asking.node} got ${brief(answer)} for ${key}`)
    // Whose deadline has passed before the store answered may have loaded for itself.
    const alone = options.onDeadline === 'load' && options.deadline !== undefined
    const exact = !options.forceFresh && !options.bypass && !alone
    const near = exact && !options.refresh
    oracle.answered(asking, key, idOf(answer), {
      exact,
      maybeStale: wasTrouble(asking, key, options),
      joins: true,
      near,
    })
  }
  const readOptions = (node: Node) => (plan.hit(0.5) || plain ? limits(node) : { tags: someTags(), ...limits(node) })
  /** What did not arrive shows in what its process reads next. */
  const readSoon = (node: Node, space: Space, key: string): void => {
    if (!events || key === COUNTER || extra.hit(0.3)) return
    const get = (): void =>
      make(
        node,
        space,
        `get ${key}`,
        () => space.of(node).get(key),
        (asking, answer) => read(asking, key, answer),
      )
    world.after(extra.about(extra.pick([5, maxAge / 4])), get, node.machine)
  }
  /** A set or an add; with what was captured before it was read, now and then. */
  const write = (node: Node, space: Space, key: string, adds: boolean): void => {
    const options: Record<string, unknown> = limits(node)
    if (plan.hit(0.4)) options.ttl = plan.pick([50, 300, 5000])
    if (plan.hit(0.3) && !plain) options.grace = plan.pick([0, 2000])
    const tags = someTags()
    const captures = plan.hit(0.3) && !plain
    if (!adds) Object.assign(options, asEvent())
    const pause = plan.about(30)
    const id = ++ids
    let capturedAt: number | undefined
    const call = async (asking: Asking): Promise<unknown> => {
      let taken: unknown = tags
      if (captures) {
        taken = await space.of(node).capture(tags)
        capturedAt = world.tick()
        await world.sleep(pause, node.machine)
      }
      oracle.writing(id, asking, key, tags, capturedAt)
      const cache = space.of(node)
      const value = { key, id }
      const all = plain ? options : { ...options, tags: taken as [] }
      return adds ? cache.add(key, value, all) : cache.set(key, value, all)
    }
    make(
      node,
      space,
      `${adds ? 'add' : 'set'} ${key} = #${id}${captures ? ', captured' : ''} [${tags}]${options.onWriteFailure ? ', or an event' : ''}`,
      (asking) => touching(asking, [space.names.key(key)], () => call(asking), id),
      (asking, answer) => {
        if (isDropped(asking, options)) {
          oracle.dropped(asking, key, id, tags, capturedAt, Number(options.ttl ?? ttl))
          readSoon(node, space, key)
          return
        }
        heard(asking)
        if (!adds || answer) oracle.acknowledged(asking, space.names.key(key), [adds ? 'add' : 'set'])
      },
      early(options),
    )
  }

  /** What ends an explicit write: an event, when it was to be one and the store has failed. */
  const arrived =
    (options: WriteOptions, key: string, verb: string) =>
    (asking: Asking): void => {
      if (isDropped(asking, options)) return
      heard(asking)
      oracle.acknowledged(asking, key, [verb])
    }

  const ACTIONS: ((node: Node, space: Space, key: string) => void)[] = []
  const often = (
    weight: number,
    action: (node: Node, space: Space, key: string) => void,
    has: 'any' | 'entries' = 'any',
  ): void => {
    if (plain && has === 'entries') return
    for (let i = 0; i < weight; i++) ACTIONS.push(action)
  }
  often(14, (node, space, key) => {
    const options = loadOptions(node, false)
    make(
      node,
      space,
      `getOrSet ${key} ${brief({ ...options, signal: options.signal && '…' })}`,
      (asking) => {
        const call = (): Promise<unknown> =>
          space.of(node).getOrSet(key, loaderOf(node, asking, key, options, false), options)
        const asksStore = options.forceFresh || options.bypass || options.refresh
        return asksStore ? touching(asking, [space.names.key(key)], call) : call()
      },
      (asking, answer) => readThrough(asking, key, answer, options),
      mayFail(key, options),
      true,
    )
  })
  often(
    3,
    (node, space) => {
      const options = loadOptions(node, true)
      make(
        node,
        space,
        `getOrSetMany ${brief({ ...options, signal: options.signal && '…' })}`,
        (asking) => {
          const since = world.time
          const whose = KEYS.map((key) => `${node.name} ${asking.names.key(key)}`)
          const loaders = new Map(KEYS.map((key) => [key, loaderOf(node, asking, key, options, true)]))
          const call = (): Promise<unknown> =>
            space.of(node).getOrSetMany(
              KEYS,
              async (keys) => {
                const load = async (key: string) => [key, await loaders.get(key)?.({})] as const
                const found = await during(whose, since, () => Promise.all(keys.map(load)))
                return new Map(found.filter(([, value]) => value !== undefined))
              },
              options,
            )
          // Its loads begin before its loader does.
          const keys = options.forceFresh ? KEYS.map(asking.names.key) : []
          return during(whose, since, () => touching(asking, keys, call))
        },
        (asking, answer) => {
          for (const key of KEYS) readThrough(asking, key, (answer as Map<string, unknown>).get(key), options)
        },
        mayFail(KEYS, options),
        true,
      )
    },
    'entries',
  )
  often(5, (node, space, key) => {
    const options = readOptions(node)
    make(
      node,
      space,
      `get ${key}`,
      () => space.of(node).get(key, options),
      (asking, answer) => read(asking, key, answer),
      early(options),
    )
  })
  often(2, (node, space, key) => {
    const options = readOptions(node)
    make(
      node,
      space,
      `getEntry ${key}`,
      () => space.of(node).getEntry(key, options),
      (asking, answer) => {
        const { status, value } = answer as { status: string; value: unknown }
        // Of a plain entry the store is always asked.
        if (status !== 'stale') return read(asking, key, value, { near: !plain })
        heard(asking)
        oracle.answered(asking, key, idOf(value), { exact: true, maybeStale: true })
      },
      early(options),
    )
  })
  often(2, (node, space) => {
    const options = readOptions(node)
    make(
      node,
      space,
      'getMany',
      () => space.of(node).getMany(KEYS, options),
      (asking, answer) => {
        for (const key of KEYS) read(asking, key, (answer as Map<string, unknown>).get(key))
      },
      early(options),
    )
  })
  often(3, (node, space, key) => write(node, space, key, false))
  often(2, (node, space, key) => write(node, space, key, true))
  often(2, (node, space, key) => {
    const options = readOptions(node)
    make(
      node,
      space,
      `take ${key}`,
      (asking) => touching(asking, [space.names.key(key)], () => space.of(node).take(key, options)),
      (asking, answer) => {
        read(asking, key, answer, { exact: false, near: false, taken: true })
        if (answer !== undefined) oracle.acknowledged(asking, asking.names.key(key), ['take'])
      },
      early(options),
    )
  })
  often(1, (node, space, key) => {
    const options = { ttl: plan.pick([100, 2000]), ...limits(node) }
    make(
      node,
      space,
      `touch ${key}`,
      (asking) => touching(asking, [space.names.key(key)], () => space.of(node).touch(key, options)),
      (asking, answer) => {
        heard(asking)
        if (answer) oracle.acknowledged(asking, space.names.key(key), ['touch'])
      },
      early(options),
    )
  })
  const remove = (node: Node, space: Space, key: string, options: WriteOptions): void => {
    const to = space.names.key(key)
    const deleting: Deleting = { key: to, sent: false }
    make(
      node,
      space,
      `delete ${key}${options.onWriteFailure ? ', or an event' : ''}`,
      (asking) => {
        node.deletes.add(deleting)
        const call = (): Promise<unknown> => space.of(node).delete(key, options)
        return touching(asking, [to], call).catch((error: unknown) => {
          // What was never sent, since its own limit had passed, was not tried.
          const tried = deleting.sent || !isCode(error, 'TIMEOUT')
          if (isCode(error, 'TIMEOUT', 'STORE_UNAVAILABLE')) oracle.unarrived.deleteFailed(asking, to, tried)
          readSoon(node, space, key)
          node.deletes.delete(deleting)
          throw error
        })
      },
      (asking) => {
        node.deletes.delete(deleting)
        if (isDropped(asking, options)) {
          oracle.unarrived.deleteFailed(asking, to, deleting.sent || options.deadline === undefined)
          return
        }
        heard(asking)
        oracle.acknowledged(asking, to, ['delete'])
      },
      early(options),
    )
  }
  often(4, (node, space, key) => remove(node, space, key, { ...limits(node), ...asEvent() }))
  often(
    2,
    (node, space, key) => {
      const options = { ...limits(node), ...asEvent() }
      make(
        node,
        space,
        `expire ${key}`,
        (asking) => touching(asking, [space.names.key(key)], () => space.of(node).expire(key, options)),
        arrived(options, space.names.key(key), 'expire'),
        early(options),
      )
    },
    'entries',
  )
  often(
    4,
    (node, space) => {
      const options = { keepStale: plan.hit(0.3), ...limits(node), ...asEvent() }
      const tag = plan.pick(TAGS)
      make(
        node,
        space,
        `invalidateTags ${tag}${options.keepStale ? ', kept stale' : ''}`,
        (asking) => touching(asking, [space.names.generation], () => space.of(node).invalidateTags([tag], options)),
        arrived(options, space.names.tag(tag), options.keepStale ? 'version.soften' : 'delete'),
        early(options),
      )
    },
    'entries',
  )
  often(
    1,
    (node, space) => {
      const options = { ...limits(node), ...asEvent() }
      make(
        node,
        space,
        'clear',
        (asking) => {
          // It empties the near tier.
          const all = names.map(({ generation }) => generation)
          return touching(asking, all, () => space.of(node).clear(options))
        },
        arrived(options, space.names.generation, 'delete'),
        early(options),
      )
    },
    'entries',
  )
  often(2, (node, space) => {
    const options = { ttl: 60_000, ...limits(node) }
    const by = 1 + plan.below(3)
    make(
      node,
      space,
      `increment ${COUNTER} by ${by}`,
      () => space.of(node).increment(COUNTER, by, options),
      (asking, answer) => {
        heard(asking)
        oracle.acknowledged(asking, space.names.key(COUNTER), ['increment'])
        oracle.counted(asking, COUNTER, Number(answer))
      },
      early(options),
    )
  })
  often(1, (node, space) => {
    remove(node, space, COUNTER, {})
  })

  const trouble = (): void => {
    const place = plan.below(count)
    const node = nodes[place] as Node
    const { machine, link } = node
    const kind = plan.float()
    if (kind < 0.35) {
      link.cut = plan.pick(['lost', 'refused'])
      const short = plan.between(50, 2500)
      const ms = events && extra.hit(0.4) ? extra.between(2000, 9000) : short
      tell(node.name, () => `is cut off (${link.cut}) for ${ms.toFixed(0)} ms`)
      world.after(ms, () => {
        link.cut = 'no'
        for (const each of bus.subscribers) if (each.link === link) world.after(1, each.onGap, machine)
        tell(node.name, () => 'is connected again')
      })
    } else if (kind < 0.55) {
      const ms = plan.between(20, 3000)
      machine.pausedUntil = world.time + ms
      tell(node.name, () => `stands still for ${ms.toFixed(0)} ms`)
    } else if (kind < 0.75) {
      machine.dead = true
      for (const call of open) if (call.node === node) open.delete(call)
      tell(node.name, () => 'dies')
      start(place)
    } else if (kind < 0.9) {
      machine.skewMs += plan.between(-1, 1) * plan.pick([100, 5000, 3_600_000])
      node.life.jumps++
      tell(node.name, () => `its clock jumps to ${machine.skewMs.toFixed(0)} ms`)
    } else {
      const key = plan.pick(server.keys())
      if (key) server.evict(key)
    }
  }

  // Bad times.
  while (calls < most && !oracle.fault) {
    const burst = plan.hit(0.3) ? 1 + plan.below(5) : 1
    for (let i = 0; i < burst; i++) act()
    if (plan.hit(0.02 * harsh)) trouble()
    const gap = plan.hit(0.03) ? plan.between(500, 4000) : plan.hit(0.4) ? 0.01 : plan.about(12)
    await world.run(world.time + gap)
  }
  // Peace.
  for (const { link } of nodes) Object.assign(link, { loss: 0, stall: 0, ghost: 0, cut: 'no' })
  if (!oracle.fault) await world.run(world.time + LONG_MS)
  if (!oracle.fault) {
    tell('', () => 'peace')
    for (const { what } of open) oracle.fail(`${what} never settles`)
    for (const { name, cache, machine } of nodes) {
      const { inFlight } = cache.stats()
      if (inFlight > 0) oracle.fail(`${name} has ${inFlight} loads in flight, though every call has settled`)
      if (machine.timers.size > 0) oracle.fail(`${name} has ${machine.timers.size} timers left`)
    }
    for (const { names } of spaces) {
      for (const key of KEYS) {
        const text = server.peek(names.key(key))
        if (text && Number(text.slice(91, 104)) > world.time)
          oracle.fail(`${names.key(key)} is leased, and nobody loads it`)
      }
    }
  }
  // Everybody sees the same, and every key can be written and loaded.
  const last = async (round: () => void): Promise<void> => {
    if (oracle.fault) return
    round()
    for (let ms = 0; open.size > 0 && ms < LONG_MS; ms += 20) await world.run(world.time + 20)
    for (const { what } of open) oracle.fail(`${what} never settles, in peace`)
    for (const { name, machine } of nodes) {
      // A feed says its last number twice more.
      if (machine.timers.size > (tier === 'feed' ? 1 : 0))
        oracle.fail(`${name} has ${machine.timers.size} timers left, though it does nothing`)
    }
  }
  const everybodyReads = (settled: boolean): Promise<void> =>
    last(() => {
      for (const node of nodes) {
        for (const space of spaces) {
          for (const key of KEYS)
            make(
              node,
              space,
              `get ${key}`,
              () => space.of(node).get(key),
              (asking, answer) => read(asking, key, answer, { settled }),
            )
        }
      }
    })
  await everybodyReads(false)
  if (!oracle.fault) await world.run(world.time + maxAge + COARSE_MS)
  if (!oracle.fault) oracle.checkMadeGood((name) => nodes.some((node) => node.name === name))
  await everybodyReads(true)
  await last(() => {
    for (const node of nodes) {
      const space = spaces[0] as Space
      for (const key of KEYS) {
        const id = ++ids
        const loader = async (asking: Asking): Promise<unknown> => {
          const load = oracle.loading(asking, key, plain)
          await world.sleep(5, node.machine)
          oracle.loaded(id, load, asking, key, [], [])
          return { key, id }
        }
        make(
          node,
          space,
          `getOrSet ${key}`,
          (asking) => space.of(node).getOrSet(key, () => loader(asking), { ttl: 600_000 }),
          (asking, answer) => readThrough(asking, key, answer, {}),
        )
      }
    }
  })
  for (const node of nodes) {
    await last(() => {
      const space = spaces[0] as Space
      const id = ++ids
      make(
        node,
        space,
        `set a = #${id} [${TAGS}]`,
        (asking) => {
          oracle.writing(id, asking, 'a', TAGS)
          return space.of(node).set('a', { key: 'a', id }, { ...(!plain && { tags: TAGS }), ttl: 600_000 })
        },
        (asking) => oracle.acknowledged(asking, space.names.key('a'), ['set']),
      )
    })
  }
  return {
    seed,
    fault: oracle.fault,
    trace: trace.slice(-keep),
    calls,
    events: world.events,
    checks: oracle.checks,
    counts: {
      ...oracle.counts,
      withEvents: Number(events),
      withPulls: Number(pulls),
      withPlain: Number(plain),
    },
    spanMs: world.time - begin,
  }
}

/** Keys as they are given. */
const PLAIN_NAMES: Names = { namespace: '', generation: ':generation', key: (key) => key, tag: (tag) => `:tag:${tag}` }

function namesOf(namespace: string): Names {
  return {
    namespace,
    generation: generationKey(namespace),
    key: (key) => storedKey(namespace, key),
    tag: (tag) => tagKey(namespace, tag),
  }
}

function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return codes.includes((error as { code?: string } | null)?.code ?? '')
}

/** What is stored, for a person. */
function short(text: string | undefined): string {
  if (!text?.startsWith('h')) return text ?? 'nothing'
  const cut = (from: number, to?: number): string => text.slice(from, to)
  return `${cut(128) || 'no value'} lease ${cut(73, 79)} gen ${cut(104, 110)}`
}

function brief(value: unknown): string {
  if (value instanceof Map) return `{${[...value].map(([key, part]) => `${key}: ${brief(part)}`).join(', ')}}`
  return JSON.stringify(value) ?? 'nothing'
}
