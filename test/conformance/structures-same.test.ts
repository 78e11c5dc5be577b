import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'
import { type StartedGateway, startGateway } from '../../adapters/node/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import { encrypted } from '../../src/codec/index.ts'
import { embeddedStore } from '../../src/embedded/index.ts'
import { type CommandStore, HitherError } from '../../src/index.ts'
import {
  batch,
  bitmap,
  geo,
  hash,
  hyperLogLog,
  list,
  type StructureSpace,
  set,
  sortedSet,
  stream,
  transaction,
} from '../../src/structures/index.ts'
import { pause } from '../faults/support/ways.ts'
import { rounds } from '../support/rounds.ts'

// The same random histories, and the same keys written by other programs, must give the same results over every transport.

const RUNS = rounds({ quick: 30, soak: 500 })
const env = (name: string): string => process.env[name] as string
const code = (code: string) => expect.objectContaining({ code })

interface Over {
  readonly name: string
  readonly store: CommandStore
}
let overs: Over[] = []
let gateway: StartedGateway
let spaces = 0
beforeAll(async () => {
  gateway = await startGateway({ redis: env('REDIS8_URL') })
  const nodes = env('CLUSTER_NODES')
    .split(',')
    .map((node) => `redis://${node}`)
  overs = [
    { name: 'hither/tcp', store: tcpStore({ url: env('REDIS8_URL') }) },
    { name: 'ioredis', store: ioredisStore(await connect(env('REDIS8_URL'))) },
    { name: 'REST', store: upstashStore(gateway) },
    { name: 'Cluster', store: ioredisStore(await connect(nodes)) },
    { name: 'embedded', store: embeddedStore() },
  ]
}, 60_000)
afterAll(async () => {
  await Promise.all(overs.map(({ store }) => store.close()))
  await gateway.stop()
})

type Step = (space: StructureSpace) => Promise<unknown>
const from = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values)
/** Sorts values whose order the server chooses. */
const sorted = (values: readonly unknown[]): unknown[] =>
  values.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))

const value = from<unknown>(
  '',
  'x',
  '7',
  7,
  -1,
  1.5,
  true,
  null,
  [1, { b: 2, a: 1 }],
  new Date(5),
  'ž\n\0',
  '\ud83d\ude00',
)
const field = from('a', 'b', '', 'ž:{x}', '__proto__', '7')
const position = fc.integer({ min: -4, max: 4 })
const score = from(0, 1, -2.5, 1e21, 1e-7, 0.1 + 0.2, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY)
const bound = from<undefined | number | { above: number } | { below: number }>(
  undefined,
  0,
  { above: 0 },
  { below: 1 },
  5,
)
const place = from(
  { longitude: 2.35, latitude: 48.86 },
  { longitude: -180, latitude: -85 },
  { longitude: 0, latitude: 0 },
)

const key = '{s}k'
const h = (space: StructureSpace) => hash<unknown>(space, key)
const l = (space: StructureSpace) => list<unknown>(space, key)
const s = (space: StructureSpace) => set<unknown>(space, key)
const z = (space: StructureSpace) => sortedSet<unknown>(space, key)
const g = (space: StructureSpace) => geo<unknown>(space, key)
const b = (space: StructureSpace) => bitmap(space, key)

/** The calls of each kind of structure. A history has calls of one kind, and now and then one of `shared`. */
const kinds: Readonly<Record<string, readonly fc.Arbitrary<Step>[]>> = {
  hash: [
    fc.tuple(field, value).map(
      ([f, v]) =>
        (space) =>
          h(space).set(f, v),
    ),
    fc.tuple(field, value).map(
      ([f, v]) =>
        (space) =>
          h(space).add(f, v),
    ),
    fc.array(fc.tuple(field, value), { maxLength: 3 }).map((all) => (space) => h(space).setMany(all)),
    fc.tuple(field, from(1, -3, 1e12)).map(
      ([f, by]) =>
        (space) =>
          h(space).incrementBy(f, by),
    ),
    field.map((f) => (space) => h(space).get(f)),
    fc.array(field, { maxLength: 3 }).map((all) => (space) => h(space).getMany(all)),
    fc.array(field, { maxLength: 3 }).map((all) => (space) => h(space).delete(all)),
    from((space: StructureSpace) => h(space).getAll()),
    from(async (space: StructureSpace) => [await h(space).size(), sorted(await h(space).fields())]),
  ],
  list: [
    fc.array(value, { maxLength: 3 }).map((all) => (space) => l(space).append(all)),
    fc.array(value, { maxLength: 3 }).map((all) => (space) => l(space).prepend(all)),
    from((space: StructureSpace) => l(space).takeFirst()),
    from((space: StructureSpace) => l(space).takeLast()),
    position.map((at) => (space) => l(space).at(at)),
    fc.tuple(position, value).map(
      ([at, v]) =>
        (space) =>
          l(space).setAt(at, v),
    ),
    fc.tuple(position, position).map(
      ([a, z]) =>
        (space) =>
          l(space).range(a, z),
    ),
    fc.tuple(value, position).map(
      ([v, count]) =>
        (space) =>
          l(space).remove(v, count),
    ),
    value.map((v) => (space) => l(space).indexOf(v)),
    fc.tuple(value, value).map(
      ([v, at]) =>
        (space) =>
          l(space).insert(v, 'before', at),
    ),
    fc.tuple(position, position).map(
      ([a, z]) =>
        (space) =>
          l(space).trim(a, z),
    ),
  ],
  set: [
    fc.array(value, { maxLength: 3 }).map((all) => (space) => s(space).add(all)),
    fc.array(value, { maxLength: 3 }).map((all) => (space) => s(space).delete(all)),
    fc.array(value, { maxLength: 3 }).map((all) => (space) => s(space).hasMany(all)),
    from(async (space: StructureSpace) => sorted(await s(space).values())),
    from(async (space: StructureSpace) => sorted(await s(space).union(['{s}other']))),
    from(async (space: StructureSpace) => (await s(space).random(9)).length),
    from(async (space: StructureSpace) => (await s(space).take(0)).length),
  ],
  sortedSet: [
    fc.tuple(value, score).map(
      ([v, at]) =>
        (space) =>
          z(space).set(v, at),
    ),
    fc
      .tuple(
        value,
        score,
        from<'new' | 'existing' | undefined>('new', 'existing', undefined),
        from<'higher' | 'lower' | undefined>('higher', 'lower', undefined),
      )
      .map(
        ([v, at, only, condition]) =>
          (space) =>
            z(space).set(v, at, { ...(only ? { only } : {}), ...(condition ? { if: condition } : {}) }),
      ),
    fc.tuple(value, score).map(
      ([v, by]) =>
        (space) =>
          z(space).incrementBy(v, by),
    ),
    fc.array(value, { maxLength: 3 }).map((all) => (space) => z(space).scores(all)),
    fc.tuple(value, fc.boolean()).map(
      ([v, reverse]) =>
        (space) =>
          z(space).rank(v, { reverse }),
    ),
    fc.tuple(position, position, fc.boolean()).map(
      ([a, e, reverse]) =>
        (space) =>
          z(space).range({ by: 'rank', from: a, to: e, reverse, withScores: true }),
    ),
    fc.tuple(bound, bound, fc.boolean()).map(
      ([a, e, reverse]) =>
        (space) =>
          z(space).range({
            by: 'score',
            ...(a === undefined ? {} : { from: a }),
            ...(e === undefined ? {} : { to: e }),
            reverse,
            limit: 2,
          }),
    ),
    from((space: StructureSpace) => z(space).takeHighest(2)),
    fc.array(value, { maxLength: 2 }).map((all) => (space) => z(space).delete(all)),
  ],
  geo: [
    fc.tuple(value, place).map(
      ([v, at]) =>
        (space) =>
          g(space).set(v, at),
    ),
    fc.array(value, { maxLength: 3 }).map((all) => (space) => g(space).positions(all)),
    fc.tuple(value, value).map(
      ([a, e]) =>
        (space) =>
          g(space).distance(a, e, 'km'),
    ),
    place.map(
      (around) => async (space) => sorted(await g(space).nearby({ around, within: { radius: 9000 }, unit: 'km' })),
    ),
  ],
  bitmap: [
    fc.tuple(fc.integer({ min: 0, max: 70 }), from<0 | 1>(0, 1)).map(
      ([at, bit]) =>
        (space) =>
          b(space).set(at, bit),
    ),
    fc.integer({ min: 0, max: 70 }).map((at) => (space) => b(space).get(at)),
    from<0 | 1>(0, 1).map((bit) => (space) => b(space).first(bit)),
    from((space: StructureSpace) => b(space).count()),
  ],
  hyperLogLog: [
    fc.array(value, { maxLength: 3 }).map((all) => (space) => hyperLogLog(space, key).add(all)),
    from((space: StructureSpace) => hyperLogLog(space, key).count(['{s}other'])),
  ],
}
/** The server chooses the ids, so results name an entry by its place among all appended entries instead. */
const appended = new Map<string, string[]>()
const idsOf = ({ namespace = '' }: StructureSpace): string[] => {
  const ids = appended.get(namespace) ?? []
  appended.set(namespace, ids)
  return ids
}
const t = (space: StructureSpace) => stream<unknown>(space, key)
const placed = (space: StructureSpace, entries: readonly { id: string; value: unknown }[]): unknown[] =>
  entries.map(({ id, value }) => [idsOf(space).indexOf(id), value])
const nth = (space: StructureSpace, at: number): string => idsOf(space)[at] ?? '1-1'
const ordinal = fc.integer({ min: 0, max: 12 })
const few = fc.integer({ min: 1, max: 4 })
const streamCalls: readonly fc.Arbitrary<Step>[] = [
  fc
    .tuple(value, fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined }))
    .map(([one, maxLength]) => async (space) => {
      idsOf(space).push(await t(space).append(one, maxLength === undefined ? {} : { maxLength }))
    }),
  fc.tuple(value, value).map((all) => async (space) => {
    for (const one of all) idsOf(space).push(await t(space).append(one))
  }),
  fc.tuple(ordinal, ordinal, fc.boolean(), few).map(
    ([from, to, reverse, limit]) =>
      async (space) =>
        placed(space, await t(space).range({ from: nth(space, from), to: nth(space, to), reverse, limit })),
  ),
  fc.tuple(ordinal, few).map(
    ([at, limit]) =>
      async (space) =>
        placed(space, await t(space).read({ after: nth(space, at), limit })),
  ),
  from(async (space: StructureSpace) => {
    const all: { id: string; value: unknown }[] = []
    for await (const entry of t(space)) all.push(entry)
    return placed(space, all)
  }),
  fc.array(ordinal, { maxLength: 3 }).map((all) => (space) => t(space).delete(all.map((at) => nth(space, at)))),
  fc.integer({ min: 0, max: 5 }).map((maxLength) => (space) => t(space).trim({ maxLength })),
  ordinal.map((at) => (space) => t(space).trim({ fromId: nth(space, at) })),
  from((space: StructureSpace) => t(space).size()),
  from((space: StructureSpace) => t(space).range({ from: 'x' })),
  // A consumer of a group reads only new entries, and acknowledges all of them or none.
  fc.tuple(from('a', 'b'), few, fc.boolean()).map(([name, most, acks]) => async (space) => {
    const group = t(space).group(name)
    await group.create()
    const seen: unknown[] = []
    const waiting = Math.min(most, (await group.lag()) ?? 0)
    if (waiting === 0) return seen
    const consumer = `c${idsOf(space).length}-${seen.length}-${Math.random()}`
    for await (const { id, value, deliveries, ack } of group.consume({ consumer, batch: waiting })) {
      seen.push([...placed(space, [{ id, value }]), deliveries])
      if (acks) await ack()
      if (seen.length === waiting) break
    }
    return seen
  }),
  from('a', 'b').map((name) => async (space: StructureSpace) => (await t(space).group(name).pending()).count),
  from('a', 'b').map((name) => (space: StructureSpace) => t(space).group(name).destroy()),
]

const shared: readonly fc.Arbitrary<Step>[] = [
  from(async (space: StructureSpace) => {
    const cleared = await h(space).clear()
    // A stream that is created again in the same millisecond could assign an id that it has assigned before.
    await pause(2)
    return cleared
  }),
  from((space: StructureSpace) => l(space).size()),
  from((space: StructureSpace) => h(space).size()),
  from((space: StructureSpace) => s(space).expireIn('1h')),
  from(async (space: StructureSpace) => Math.round(((await s(space).expiresIn()) ?? -1) / 60_000)),
  from((space: StructureSpace) => s(space).persist()),
  from((space: StructureSpace) => batch(space, (all) => [all.hash(key).size(), all.hash(key).get('a')])),
  from((space: StructureSpace) => transaction(space, (all) => [all.set(key).add(['x']), all.set(key).has('x')])),
]

/** Resolves to the result of a call, or to the code and `maybeExecuted` of its error. */
async function outcome(step: Step, space: StructureSpace): Promise<unknown> {
  try {
    return { value: await step(space) }
  } catch (error) {
    if (!(error instanceof HitherError)) throw error
    return { code: error.code, maybeExecuted: error.maybeExecuted }
  }
}

describe('structures over every transport', () => {
  for (const [kind, calls] of Object.entries({ ...kinds, 'stream histories': streamCalls })) {
    it(`${kind}: the same random histories give the same results`, async () => {
      const step = fc.oneof({ weight: 5, arbitrary: fc.oneof(...calls) }, { weight: 1, arbitrary: fc.oneof(...shared) })
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 20 }), async (history) => {
          const namespace = `same${++spaces}-${Math.random().toString(36).slice(2)}`
          const played = await Promise.all(
            overs.map(async ({ store }) => {
              const results: unknown[] = []
              for (const one of history)
                results.push(
                  await outcome(one, {
                    store,
                    namespace: `${namespace}-${store.name}-${overs.findIndex((over) => over.store === store)}`,
                  }),
                )
              return results
            }),
          )
          for (const [i, { name }] of overs.entries()) expect([name, played[i]]).toEqual([name, played[0]])
        }),
        { numRuns: RUNS },
      )
    }, 3_600_000)
  }
  it('stream: the same appends, reads, groups and trims', async () => {
    const results = await Promise.all(
      overs.map(async ({ store }) => {
        const space = { store, namespace: `stream${Math.random().toString(36).slice(2)}` }
        const jobs = stream<unknown>(space, 'k')
        const seen: unknown[] = []
        for (let n = 0; n < 40; n++) await jobs.append({ n }, n % 10 === 9 ? { maxLength: 25 } : {})
        seen.push(
          await jobs.size(),
          (await jobs.range({ limit: 3 })).map(({ value }) => value),
        )
        seen.push((await jobs.range({ reverse: true, limit: 2 })).map(({ value }) => value))
        const all = await jobs.read({ limit: 50 })
        seen.push(all.length, (await jobs.read({ after: all[3]?.id as string, limit: 1 }))[0]?.value)
        seen.push(await jobs.delete([all[0]?.id as string, '1-1']), await jobs.trim({ maxLength: 10 }))
        const group = jobs.group('g')
        for await (const entry of group.consume({ consumer: 'a', batch: 4 })) {
          seen.push([entry.value, entry.deliveries])
          if (seen.length > 12) break
          if (seen.length % 2) await entry.ack()
        }
        const { count, consumers } = await group.pending()
        seen.push(count, [...consumers], await group.destroy(), await group.destroy())
        seen.push(
          await outcome(() => jobs.range({ from: 'x' }), space),
          await outcome(() => set(space, 'k').size(), space),
        )
        return seen
      }),
    )
    for (const [i, { name }] of overs.entries()) expect([name, results[i]]).toEqual([name, results[0]])
  }, 60_000)
})

describe('structures: hostile', () => {
  const each = (title: string, body: (space: StructureSpace, name: string) => Promise<void>): void =>
    it(title, async () => {
      for (const { name, store } of overs) {
        await body({ store, namespace: `h${Math.random().toString(36).slice(2)}` }, name)
      }
    }, 120_000)
  const raw = (space: StructureSpace, ...args: string[]): Promise<unknown> =>
    space.store.transport.send({ args, effect: 'once' })

  each('what another program left in a stream is moved away, and holds up nobody', async (space) => {
    const jobs = stream<string>(space, '{t}jobs')
    await jobs.append('first')
    await raw(space, 'XADD', `${space.namespace}:{t}jobs`, '*', 'other', 'x', 'more', 'y')
    await raw(space, 'XADD', `${space.namespace}:{t}jobs`, '*', 'v', '{rotten')
    await jobs.append('last')
    const seen: string[] = []
    const reading = async (poison: { after: number; to: string } | undefined): Promise<void> => {
      for await (const entry of jobs.group('g').consume({ consumer: 'a', ...(poison ? { poison } : {}) })) {
        seen.push(entry.value)
        await entry.ack()
        if (entry.value === 'last') break
      }
    }
    await expect(reading(undefined)).rejects.toEqual(code('WRONG_TYPE'))
    expect(seen).toEqual(['first'])
    await reading({ after: 3, to: '{t}dead' })
    expect(seen).toEqual(['first', 'last'])
    expect(await stream(space, '{t}dead').size()).toBe(2)
    expect((await jobs.group('g').pending()).count).toBe(0)
  })
  each('each entry that comes again is marked, whatever lies between', async (space) => {
    const jobs = stream<number>(space, 'jobs')
    for (let n = 0; n < 30; n++) await jobs.append(n)
    const group = jobs.group('g')
    // Two consumers that then stop take the first and the last entry. One that goes on takes the entries between, unacknowledged.
    const take = async (consumer: string, count: number): Promise<void> => {
      let left = count
      for await (const _ of group.consume({ consumer, batch: 1 })) if (--left === 0) break
    }
    await take('dead', 1)
    await take('alive', 28)
    await take('dead2', 1)
    const again: [number, number][] = []
    for await (const entry of group.consume({ consumer: 'alive', claimAfter: '1ms', batch: 10 })) {
      again.push([entry.value, entry.deliveries])
      if (again.length === 30) break
    }
    expect(again.filter(([, deliveries]) => deliveries < 2)).toEqual([])
  })
  each('a sum past what a number holds is an error that says it is there', async (space) => {
    const counts = hash<number>(space, 'k')
    await counts.set('n', Number.MAX_SAFE_INTEGER)
    await expect(counts.incrementBy('n', 2)).rejects.toMatchObject({ code: 'OVERFLOW', maybeExecuted: true })
    expect(await counts.incrementBy('n', 1 - 2 ** 52)).toBeLessThan(2 ** 53)
    await counts.set('text', 'x' as never)
    await expect(counts.incrementBy('text', 1)).rejects.toBeInstanceOf(HitherError)
  })
  each('a call of a batch that was sent rejects', async (space) => {
    let late: ReturnType<typeof hash<number>> | undefined
    await batch(space, (all) => {
      late = all.hash<number>('k')
      return [late.size()]
    })
    await expect(late?.get('f')).rejects.toEqual(code('INVALID_ARGUMENT'))
  })
  each('names and values of any text', async (space) => {
    const odd = hash<unknown>(space, '__proto__')
    const names = ['__proto__', 'constructor', '\0\r\n', 'ž', '{', '*']
    await odd.setMany(names.map((name, i) => [name, { [name]: i }] as const))
    for (const [i, name] of names.entries()) expect(await odd.get(name)).toEqual({ [name]: i })
    expect([...(await odd.getAll()).keys()].sort()).toEqual(names.toSorted())
    await expect(odd.set('\ud800', 1)).rejects.toEqual(code('INVALID_VALUE'))
    await odd.set('lone', '\ud800')
    expect(await odd.get('lone')).toBe('\ud800')
    expect(() => hash(space, '')).toThrow(code('INVALID_KEY'))
    await expect(hash(space, 'x'.repeat(2000)).size()).rejects.toEqual(code('INVALID_KEY'))
    await expect(odd.setMany([['a', undefined]])).rejects.toEqual(code('INVALID_VALUE'))
    await expect(odd.set('f', Symbol('x'))).rejects.toEqual(code('UNENCODABLE'))
  })
  each('a codec that fails rejects its call, and no other', async (space) => {
    const codec = {
      mark: 'F',
      encode: async (value: unknown) => {
        if (value === 'bad') throw new Error('no key')
        return JSON.stringify(value)
      },
      decode: (text: string) => JSON.parse(text) as unknown,
    }
    const own = { ...space, codec }
    const results = await Promise.allSettled([
      list<string>(own, 'l').append(['ok', 'bad', 'bad']),
      set<string>(own, 's').add(['bad', 'bad']),
      hash<string>(own, 'h').setMany([
        ['a', 'bad'],
        ['b', 'bad'],
      ]),
      batch(own, (all) => [all.set<string>('s').add(['bad']), all.set<string>('s').add(['bad'])]),
      hash<string>(own, 'h').set('fine', 'x'),
    ])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'rejected', 'fulfilled'])
    expect(await hash<string>(own, 'h').getAll()).toEqual(new Map([['fine', 'x']]))
    await expect(hash(space, 'h').getAll()).rejects.toEqual(code('WRONG_TYPE'))
    const secret = { ...space, codec: encrypted({ keys: [{ id: 'a', secret: new Uint8Array(32).fill(1) }] }) }
    await hash<string>(secret, 'e').set('f', 'v')
    const stolen = (await raw(space, 'HGET', `${space.namespace}:e`, 'f')) as string
    await raw(space, 'HSET', `${space.namespace}:other`, 'f', stolen)
    await expect(hash(secret, 'other').get('f')).rejects.toEqual(code('WRONG_TYPE'))
  })
})
