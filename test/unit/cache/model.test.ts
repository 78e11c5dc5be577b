import { memoryStore } from 'hither/memory'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Cache, LoadContext } from '../../../src/index.ts'
import { type Chance, createChance } from '../../simulation/chance.ts'
import { rounds } from '../../support/rounds.ts'
import { seedOfTheDay } from '../../support/seed.ts'
import { alone, compressing, type Kind, sharing } from './model/caches.ts'
import { type Held, hasGrace, Reference, type Seen } from './model/reference.ts'

// Random calls, one after another, on caches that share a namespace and differ in what they have: tags, codec, grace, face. What
// each call resolves to is what one map says. The simulation has the calls that overlap, and what fails.

const KEYS = ['a', 'b', 'c'] as const
const TAGS = ['t', 'u'] as const
const CALLS = 120

interface Opened {
  readonly kind: Kind
  readonly cache: Cache<'frozen'>
}

/** One call on one key of one namespace. */
interface Turn {
  readonly chance: Chance
  readonly reference: Reference
  readonly kind: Kind
  readonly cache: Cache<'frozen'>
  readonly space: string
  readonly key: string
  readonly before: Seen
  /** A value that no earlier call has stored. */
  value(): unknown
}

interface Options {
  ttl?: number
  grace?: number
  tags?: readonly string[]
}

const someTags = ({ chance }: Turn): readonly string[] => (chance.hit(0.5) ? [chance.pick(TAGS)] : TAGS)
const freshOf = ({ status, held }: Seen): unknown => (status === 'fresh' ? held?.value : undefined)

function readOptions(turn: Turn): { readonly tags?: readonly string[] } {
  return turn.kind.hasTags && turn.chance.hit(0.4) ? { tags: someTags(turn) } : {}
}

function writeOptions({ chance, ...turn }: Turn): Options {
  const options: Options = {}
  if (chance.hit(0.3)) options.ttl = chance.pick([50, 500, 5000])
  if (chance.hit(0.3)) options.grace = chance.pick([0, 700])
  if (turn.kind.hasTags && chance.hit(0.4)) options.tags = someTags({ chance, ...turn })
  return options
}

function lifeOf({ kind }: Turn, { ttl, grace, tags }: Options) {
  return { ttlMs: ttl ?? kind.ttlMs, graceMs: grace ?? kind.graceMs, tags }
}

/** Calls that change nothing. */
const reads: Record<string, (turn: Turn) => Promise<void>> = {
  async get(turn) {
    expect(await turn.cache.get(turn.key, readOptions(turn))).toEqual(freshOf(turn.before))
  },
  async peek({ cache, key, kind, before }) {
    const value = cache.peek(key)
    if (!kind.hasNear || value !== undefined) expect(value).toEqual(kind.hasNear ? freshOf(before) : undefined)
  },
  async getMany(turn) {
    const { reference, kind, space } = turn
    const all = KEYS.map((key) => [key, reference.look(kind, space, key)] as const)
    const fresh = all.filter(([, { status }]) => status === 'fresh')
    expect(await turn.cache.getMany(KEYS, readOptions(turn))).toEqual(
      new Map(fresh.map(([key, seen]) => [key, freshOf(seen)])),
    )
  },
  async has(turn) {
    expect(await turn.cache.has(turn.key, readOptions(turn))).toBe(turn.before.status === 'fresh')
  },
  async ttl({ cache, key, before: { status, held } }) {
    expect(await cache.ttl(key)).toBe(status === 'fresh' ? (held as Held).freshUntil - Date.now() : undefined)
  },
  async getEntry(turn) {
    const { status, held } = turn.before
    const { value, ttl, tags, ...entry } = await turn.cache.getEntry(turn.key, readOptions(turn))
    const there = status === 'absent' ? undefined : held
    expect([entry.status, value, tags]).toEqual([status, there?.value, [...(there?.tags.keys() ?? [])]])
    expect(ttl).toBe(status === 'fresh' ? (held as Held).freshUntil - Date.now() : 0)
  },
}

/** Calls that write without a loader. */
const writes: Record<string, (turn: Turn) => Promise<void>> = {
  async set(turn) {
    const { reference, kind, cache, key, space } = turn
    const [options, value] = [writeOptions(turn), turn.value()]
    await cache.set(key, value, options)
    reference.put(kind, key, value, { space, life: lifeOf(turn, options) })
  },
  async setMany(turn) {
    const { reference, kind, cache, space } = turn
    const options = writeOptions(turn)
    const pairs = [KEYS[0], KEYS[2]].map((key) => [key, turn.value()] as const)
    await cache.setMany(pairs, options)
    for (const [key, value] of pairs) reference.put(kind, key, value, { space, life: lifeOf(turn, options) })
  },
  async add(turn) {
    const { reference, kind, cache, key, space, before } = turn
    const [options, value] = [writeOptions(turn), turn.value()]
    const isAdded = before.status !== 'fresh'
    expect(await cache.add(key, value, options)).toBe(isAdded)
    if (isAdded) reference.put(kind, key, value, { space, life: lifeOf(turn, options) })
  },
  async touch(turn) {
    const { tags: _, ...options } = writeOptions(turn)
    const { status, held } = turn.before
    expect(await turn.cache.touch(turn.key, options)).toBe(status === 'fresh')
    if (status === 'fresh') turn.reference.touch(held as Held, lifeOf(turn, options))
  },
  async take(turn) {
    const { reference, key, space, before } = turn
    expect(await turn.cache.take(key, readOptions(turn))).toEqual(freshOf(before))
    if (before.status === 'fresh') reference.remove(space, key)
  },
  async delete({ reference, cache, key, space, before }) {
    const deleted = await cache.delete(key)
    // What is absent here may still have its memory, or a lease.
    if (before.status !== 'absent') expect(deleted).toBe(1)
    reference.remove(space, key)
  },
  async expire({ reference, cache, key, space, before: { status, held } }) {
    const isKept = held !== undefined && hasGrace(held)
    const expired = await cache.expire(key)
    if (status !== 'absent') expect(expired).toBe(isKept)
    if (isKept) held.freshUntil = 0
    else reference.remove(space, key)
  },
  async increment({ reference, kind, cache, key, space, chance, before: { status, held } }) {
    const by = chance.pick([1, 5, -2])
    const added = cache.increment(key, by, { ttl: 700 }).catch((error: { code: string }) => error.code)
    if (status !== 'fresh') {
      expect(await added).toBe(by)
      reference.put(kind, key, by, { space, life: { ttlMs: 700, graceMs: 0 } }).mark = 'i'
    } else if (held?.mark === 'i' && held.tags.size === 0) {
      held.value = Number(held.value) + by
      expect(await added).toBe(held.value)
    } else expect(await added).toBe('WRONG_TYPE')
  },
  async invalidateTags({ reference, kind, cache, space, chance }) {
    if (!kind.hasTags) return
    const [tag, keepStale] = [chance.pick(TAGS), chance.hit(0.5)]
    await cache.invalidateTags([tag], { keepStale })
    reference.invalidate(space, tag, keepStale)
  },
  async clear({ reference, cache, space, chance }) {
    if (chance.hit(0.6)) return
    await cache.clear()
    reference.clear(space)
  },
  async capture(turn) {
    const { reference, kind, cache, key, space, chance } = turn
    if (!kind.hasTags) return
    const tags = someTags(turn)
    const captured = await cache.capture(tags)
    const versions = reference.versions(space, tags)
    await writes[chance.pick(['invalidateTags', 'clear', 'set'])]?.(turn)
    const [options, value] = [writeOptions(turn), turn.value()]
    await cache.set(key, value, { ...options, tags: captured })
    reference.put(kind, key, value, { space, life: lifeOf(turn, { ...options, tags }), versions })
  },
}

type Outcome = 'value' | 'null' | 'undefined' | 'throws' | 'skip' | 'setTtl' | 'notModified'
const OUTCOMES: readonly Outcome[] = ['value', 'value', 'null', 'undefined', 'throws', 'skip', 'setTtl', 'notModified']

async function readThrough(turn: Turn): Promise<void> {
  const { cache, key, chance, before } = turn
  const outcome = chance.pick(OUTCOMES)
  const value = outcome === 'null' ? null : turn.value()
  const options = { ...writeOptions(turn), ...(chance.hit(0.2) && { negativeTtl: 300 }) }
  const how = chance.pick(['', '', '', 'forceFresh', 'bypass'])
  let context: LoadContext | undefined
  const loader = (given: LoadContext): unknown => {
    context = given
    if (outcome === 'throws') throw new Error('the loader failed')
    if (outcome === 'undefined') return undefined
    if (outcome === 'setTtl') given.setTtl(600, 100)
    if (outcome === 'notModified' && given.previous) return given.notModified()
    return outcome === 'skip' ? given.skip(value) : value
  }
  const call = cache.getOrSet(key, loader, { ...options, ...(how && { [how]: true }) })
  const found = await call.catch((error: Error) => error.message)
  await cache.flush()
  if (before.status === 'fresh' && how === '') {
    expect([found, context]).toEqual([before.held?.value, undefined])
    return
  }
  const isServed = how !== 'bypass' && (before.status === 'stale' || (how !== '' && before.status === 'fresh'))
  const previous = isServed ? before.held : undefined
  expect(context?.previous?.value).toEqual(previous?.value)
  if (outcome === 'throws') expect(found).toEqual(previous ? previous.value : 'the loader failed')
  else if (outcome === 'undefined') expect(found).toBeUndefined()
  else expect(found).toEqual(outcome === 'notModified' && previous ? previous.value : value)
  if (how !== 'bypass') loaded(turn, outcome, { options, previous, value: found })
}

/** What a load leaves in the store. */
function loaded(
  turn: Turn,
  outcome: Outcome,
  given: { options: Options & { negativeTtl?: number }; previous: Held | undefined; value: unknown },
): void {
  const { reference, kind, key, space, before } = turn
  const { options, previous, value } = given
  if (outcome === 'throws' || outcome === 'skip') {
    // Its lease takes the place of a dead entry without grace.
    if (before.held && before.status === 'absent' && !hasGrace(before.held)) reference.remove(space, key)
  } else if (outcome === 'undefined') reference.remove(space, key)
  else {
    const kept = outcome === 'notModified' ? previous : undefined
    const life = lifeOf(turn, options)
    if (outcome === 'setTtl') Object.assign(life, { ttlMs: 600, graceMs: 100 })
    else if (value === null && options.negativeTtl) life.ttlMs = options.negativeTtl
    const tags = [...new Set([...(options.tags ?? []), ...(kept?.tags.keys() ?? [])])]
    const stored = reference.put(kind, key, value, { space, life: { ...life, tags } })
    if (kept) stored.mark = kept.mark
  }
}

async function readThroughMany(turn: Turn): Promise<void> {
  const { reference, kind, cache, space, chance } = turn
  const options = writeOptions(turn)
  const none = chance.pick(KEYS)
  const values = new Map(KEYS.filter((key) => key !== none).map((key) => [key, turn.value()]))
  const seen = new Map(KEYS.map((key) => [key, reference.look(kind, space, key)]))
  const missing = KEYS.filter((key) => seen.get(key)?.status !== 'fresh')
  let asked: readonly string[] = []
  const found = await cache.getOrSetMany(
    KEYS,
    (keys) => {
      asked = keys
      return new Map([...values].filter(([key]) => keys.includes(key)))
    },
    options,
  )
  await cache.flush()
  expect([...asked].sort()).toEqual(missing)
  const all = KEYS.map((key) => [key, missing.includes(key) ? values.get(key) : seen.get(key)?.held?.value] as const)
  expect(found).toEqual(new Map(all.filter(([, value]) => value !== undefined)))
  for (const key of missing) {
    if (key === none) reference.remove(space, key)
    else reference.put(kind, key, values.get(key), { space, life: lifeOf(turn, options) })
  }
}

const calls: readonly ((turn: Turn) => Promise<void>)[] = [
  ...Object.values(reads),
  ...Object.values(writes),
  ...[writes.set, writes.set, writes.add, readThrough, readThrough, readThrough, readThroughMany].filter(
    (call) => !!call,
  ),
]

/** Any kind of value that this cache keeps. */
function someValue({ keepsAll }: Kind, chance: Chance, id: number): unknown {
  const plain = [id, { id }, `text ${id}`, null, [id, 'x'.repeat(30)], 0, '', false]
  return chance.pick(keepsAll ? [...plain, new Date(id), new Map([[1, id]]), { at: new Date(id) }, -0] : plain)
}

async function play(seed: number, pickKinds: (chance: Chance) => readonly Kind[]): Promise<void> {
  const chance = createChance(seed)
  const store = memoryStore()
  const opened = pickKinds(chance).map((kind): Opened => ({ kind, cache: kind.open(store) }))
  const reference = new Reference(() => Date.now())
  let id = 0
  for (let i = 0; i < CALLS; i++) {
    if (chance.hit(0.12)) {
      vi.setSystemTime(Date.now() + chance.pick([1, 49, 50, 400, 1000, 3000, 5001]))
      // The near tier reads the clock once for many calls, until a timer fires.
      await new Promise((resolve) => setTimeout(resolve))
    }
    const { kind, cache: root } = chance.pick(opened)
    const isSub = chance.hit(0.15)
    const space = isSub ? 'm.sub' : 'm'
    const inSpace = isSub ? root.namespace('sub') : root
    const cache = chance.hit(0.1) ? inSpace.with({ deadline: Date.now() + 100_000 }) : inSpace
    const key = chance.pick(KEYS)
    const before = reference.look(kind, space, key)
    const value = (): unknown => someValue(kind, chance, ++id)
    await chance.pick(calls)({ chance, reference, kind, cache, space, key, before, value })
  }
  for (const { cache } of opened) await cache.flush()
}

const seeds = rounds({ quick: 15, soak: 2000 })

afterEach(() => {
  vi.useRealTimers()
})

describe('random calls, compared with a map', () => {
  const kinds = typeof CompressionStream === 'undefined' ? sharing : [...sharing, compressing()]
  const groups: Record<string, (chance: Chance) => readonly Kind[]> = {
    'on one cache': (chance) => [chance.pick(kinds)],
    'on three that share a namespace': (chance) => [chance.pick(kinds), chance.pick(kinds), chance.pick(kinds)],
    'on one with a near tier': (chance) => [chance.pick(alone)()],
  }
  for (const [name, pickKinds] of Object.entries(groups)) {
    it(`${name}`, async () => {
      vi.useFakeTimers({ toFake: ['Date'] })
      const first = seedOfTheDay() * 10_000
      for (let seed = first; seed < first + seeds; seed++) {
        await play(seed, pickKinds).catch((error: Error) => {
          throw new Error(`seed ${seed}: ${error.message}`, { cause: error })
        })
      }
    })
  }
})
