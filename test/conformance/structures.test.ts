import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'
import { type StartedGateway, startGateway } from '../../adapters/node/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import { embeddedStore } from '../../src/embedded/index.ts'
import { type CommandStore, createCache } from '../../src/index.ts'
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

const code = (code: string) => expect.objectContaining({ code })
let tests = 0

interface Kind {
  /** Whether calls can wait on the server. */
  readonly waits: boolean
  /** Whether hash fields can have lifetimes. */
  readonly fieldLifetimes: boolean
}

function describeStructures(
  name: string,
  { waits, fieldLifetimes }: Kind,
  open: () => Promise<CommandStore>,
  close?: () => Promise<void>,
): void {
  describe(`structures: ${name}`, () => {
    let store: CommandStore
    beforeAll(async () => {
      store = await open()
    }, 60_000)
    afterAll(async () => {
      await store.close()
      await close?.()
    })
    /** Returns a new namespace for each test; `{t}` in a key keeps its keys in one slot. */
    const space = (): StructureSpace => ({ store, namespace: `s${++tests}-${Math.random().toString(36).slice(2)}` })
    const test = (title: string, body: (space: StructureSpace) => Promise<void>): void =>
      it(title, () => body(space()), 60_000)

    const samples = ['paris', '7', '', 'r', 7, -3, 1.5, true, null, { b: [1, { a: 2 }], a: 'x' }, new Date(5), 9n, [1]]

    test('a hash keeps values by field', async (space) => {
      const cart = hash<unknown>(space, 'cart:7')
      expect(await cart.getAll()).toEqual(new Map())
      expect(await cart.get('apple')).toBe(undefined)
      expect(await cart.set('apple', 2)).toBe(true)
      expect(await cart.set('apple', 3)).toBe(false)
      expect(await cart.incrementBy('apple', -1)).toBe(2)
      expect(await cart.add('apple', 9)).toBe(false)
      const entries = samples.map((value, i): [string, unknown] => [`f${i}`, value])
      expect(await cart.setMany(entries)).toBe(samples.length)
      expect(await cart.getMany(['f0', 'gone', 'f9'])).toEqual(
        new Map([
          ['f0', 'paris'],
          ['f9', samples[9]],
        ]),
      )
      expect(await cart.getAll()).toEqual(new Map([['apple', 2], ...entries]))
      expect(await cart.size()).toBe(samples.length + 1)
      expect((await cart.fields()).sort()).toEqual(['apple', ...entries.map(([field]) => field)].sort())
      expect(await cart.has('apple')).toBe(true)
      expect(await cart.delete(['apple', 'gone'])).toBe(1)
      expect(await cart.delete([])).toBe(0)
      expect(await cart.getMany([])).toEqual(new Map())
      const seen = new Map<string, unknown>()
      for await (const [field, value] of cart) seen.set(field, value)
      expect(seen).toEqual(new Map(entries))
      expect(await cart.clear()).toBe(true)
      expect(await cart.clear()).toBe(false)
    })
    test('a hash of many fields is paged through', async (space) => {
      const many = hash<number>(space, 'many')
      await many.setMany(Array.from({ length: 1500 }, (_, i) => [`f${i}`, i] as const))
      let sum = 0
      const seen = new Set<string>()
      for await (const [field, value] of many) {
        if (!seen.has(field)) sum += value
        seen.add(field)
      }
      expect([seen.size, sum]).toEqual([1500, (1499 * 1500) / 2])
    })
    test('a field of a hash has a lifetime where the server has them', async (space) => {
      const cart = hash<number>(space, 'cart')
      await cart.set('apple', 1)
      if (!fieldLifetimes) {
        await expect(cart.expireField('apple', '1m')).rejects.toEqual(code('UNSUPPORTED'))
        await expect(cart.fieldExpiresIn('apple')).rejects.toEqual(code('UNSUPPORTED'))
        await expect(batch(space, (b) => [b.hash('cart').expireField('apple', 1)])).rejects.toEqual(code('UNSUPPORTED'))
        return
      }
      expect(await cart.fieldExpiresIn('apple')).toBe(Number.POSITIVE_INFINITY)
      expect(await cart.fieldExpiresIn('gone')).toBe(undefined)
      expect(await cart.expireField('apple', '1m')).toBe(true)
      expect(await cart.expireField('gone', '1m')).toBe(false)
      expect(await cart.fieldExpiresIn('apple')).toBeGreaterThan(50_000)
    })
    test('a field that holds no whole number is not added to', async (space) => {
      const cart = hash(space, 'cart')
      for (const value of ['apple', '7', 1.5, true, null, { a: 1 }]) {
        await cart.set('f', value)
        await expect(cart.incrementBy('f', 1)).rejects.toEqual(code('WRONG_TYPE'))
        expect(await cart.get('f')).toEqual(value)
      }
      await expect(batch(space, (b) => [b.hash('cart').incrementBy('f', 1)])).rejects.toEqual(code('WRONG_TYPE'))
      const together = transaction(space, (b) => [b.hash('cart').set('g', 1), b.hash('cart').incrementBy('f', 1)])
      await expect(together).rejects.toEqual(code('WRONG_TYPE'))
    })
    test('a key has a lifetime', async (space) => {
      const cart = hash<number>(space, 'cart')
      expect(await cart.expiresIn()).toBe(undefined)
      expect(await cart.expireIn('1m')).toBe(false)
      await cart.set('apple', 1)
      expect(await cart.expiresIn()).toBe(Number.POSITIVE_INFINITY)
      expect(await cart.expireIn('1m')).toBe(true)
      expect(await cart.expiresIn()).toBeGreaterThan(50_000)
      expect(await cart.persist()).toBe(true)
      expect(await cart.persist()).toBe(false)
    })

    test('a list keeps values in order', async (space) => {
      const jobs = list<unknown>(space, 'jobs')
      expect(await jobs.takeFirst()).toBe(undefined)
      expect(await jobs.append([1, 'two'])).toBe(2)
      expect(await jobs.append([])).toBe(2)
      expect(await jobs.prepend(['b', 'a'])).toBe(4)
      expect(await jobs.range(0, -1)).toEqual(['a', 'b', 1, 'two'])
      expect(await jobs.at(-1)).toBe('two')
      expect(await jobs.at(9)).toBe(undefined)
      await jobs.setAt(0, { a: 1 })
      await expect(jobs.setAt(9, 1)).rejects.toEqual(code('STORE_REJECTED'))
      expect(await jobs.indexOf('b')).toBe(1)
      expect(await jobs.indexOf('gone')).toBe(undefined)
      expect(await jobs.insert('c', 'after', 'b')).toBe(5)
      expect(await jobs.insert('c', 'before', 'gone')).toBe(undefined)
      expect(await jobs.remove('c')).toBe(1)
      await jobs.trim(0, 2)
      expect(await jobs.size()).toBe(3)
      expect(await jobs.takeFirst()).toEqual({ a: 1 })
      expect(await jobs.takeLast()).toBe(1)
    })
    test('taking from a list waits where the transport can', async (space) => {
      const jobs = list<string>(space, 'jobs')
      if (!waits) {
        await expect(jobs.takeFirst({ wait: '1s' })).rejects.toEqual(code('UNSUPPORTED'))
        return
      }
      expect(await jobs.takeFirst({ wait: '50ms' })).toBe(undefined)
      const waiting = jobs.takeFirst({ wait: '10s' })
      await jobs.append(['late'])
      expect(await waiting).toBe('late')
      const abort = new AbortController()
      const given = jobs.takeLast({ wait: '10s', signal: abort.signal })
      abort.abort(new Error('left'))
      await expect(given).rejects.toThrow('left')
    })

    test('a set keeps values without doubles', async (space) => {
      const tags = set<unknown>(space, 'tags')
      expect(await tags.add([{ a: 1, b: 2 }, 'x', 7])).toBe(3)
      expect(await tags.add([{ b: 2, a: 1 }, '7'])).toBe(1)
      expect(await tags.has({ a: 1, b: 2 })).toBe(true)
      expect(await tags.hasMany(['x', 'y', 7, '7'])).toEqual([true, false, true, true])
      expect(await tags.size()).toBe(4)
      const sorted = (values: unknown[]): string[] => values.map((value) => JSON.stringify(value)).sort()
      expect(sorted(await tags.values())).toEqual(sorted([{ a: 1, b: 2 }, 'x', 7, '7']))
      const seen: unknown[] = []
      for await (const value of tags) seen.push(value)
      expect(sorted(seen)).toEqual(sorted([{ a: 1, b: 2 }, 'x', 7, '7']))
      expect((await tags.random(2)).length).toBe(2)
      expect((await tags.take(2)).length).toBe(2)
      expect(await tags.delete(['gone'])).toBe(0)
      expect(await tags.size()).toBe(2)
    })
    test('sets of one slot are combined', async (space) => {
      const a = set<number>(space, '{t}a')
      await a.add([1, 2, 3])
      await set<number>(space, '{t}b').add([2, 3, 4])
      expect((await a.intersection(['{t}b'])).sort()).toEqual([2, 3])
      expect((await a.union(['{t}b'])).sort()).toEqual([1, 2, 3, 4])
      expect(await a.difference(['{t}b'])).toEqual([1])
    })

    test('a sorted set keeps members by score', async (space) => {
      const top = sortedSet<string>(space, 'searches')
      expect(await top.set('paris', 1)).toBe(true)
      expect(
        await top.setMany([
          ['rome', 2.5],
          ['oslo', Number.NEGATIVE_INFINITY],
          ['paris', 3],
        ]),
      ).toBe(2)
      expect(await top.incrementBy('paris', 0.5)).toBe(3.5)
      expect(await top.score('paris')).toBe(3.5)
      expect(await top.scores(['oslo', 'gone'])).toEqual([Number.NEGATIVE_INFINITY, undefined])
      expect(await top.rank('paris')).toBe(2)
      expect(await top.rank('paris', { reverse: true })).toBe(0)
      expect(await top.rank('gone')).toBe(undefined)
      expect(await top.range({ by: 'rank', from: 0, to: 9, reverse: true, withScores: true })).toEqual([
        ['paris', 3.5],
        ['rome', 2.5],
        ['oslo', Number.NEGATIVE_INFINITY],
      ])
      expect(await top.range({ by: 'score', from: { above: 2.5 } })).toEqual(['paris'])
      expect(await top.range({ by: 'score', from: 0, to: 9, reverse: true, offset: 1, limit: 1 })).toEqual(['rome'])
      expect(await top.range({ by: 'score', to: { below: 2.5 } })).toEqual(['oslo'])
      expect(await top.count({ from: 0 })).toBe(2)
      expect(await top.set('paris', 1, { if: 'higher' })).toBe(false)
      expect(await top.set('new', 1, { only: 'existing' })).toBe(false)
      expect(await top.score('paris')).toBe(3.5)
      expect(await top.size()).toBe(3)
      const seen = new Map<string, number>()
      for await (const [member, score] of top) seen.set(member, score)
      expect(seen.get('rome')).toBe(2.5)
      expect(await top.takeLowest()).toEqual([['oslo', Number.NEGATIVE_INFINITY]])
      expect(await top.takeHighest(2)).toEqual([
        ['paris', 3.5],
        ['rome', 2.5],
      ])
      await top.setMany([
        ['a', 1],
        ['b', 2],
        ['c', 3],
      ])
      expect(await top.deleteRange({ by: 'score', from: 3 })).toBe(1)
      expect(await top.deleteRange({ by: 'rank', from: 0, to: 0 })).toBe(1)
      expect(await top.delete(['b', 'gone'])).toBe(1)
    })

    test('a stream keeps entries in order', async (space) => {
      const jobs = stream<{ n: number }>(space, 'jobs')
      const ids: string[] = []
      for (let n = 0; n < 5; n++) ids.push(await jobs.append({ n }, { maxLength: 4 }))
      expect(await jobs.size()).toBe(4)
      expect((await jobs.range()).map(({ value }) => value.n)).toEqual([1, 2, 3, 4])
      expect((await jobs.range({ reverse: true, limit: 1 }))[0]).toEqual({ id: ids[4], value: { n: 4 } })
      expect((await jobs.read({ after: ids[3] as string })).map(({ value }) => value.n)).toEqual([4])
      expect(await jobs.read({ after: ids[4] as string })).toEqual([])
      const seen: number[] = []
      for await (const { value } of jobs) seen.push(value.n)
      expect(seen).toEqual([1, 2, 3, 4])
      expect(await jobs.delete([ids[1] as string])).toBe(1)
      expect(await jobs.trim({ fromId: ids[3] as string })).toBe(1)
      expect(await jobs.trim({ maxLength: 0 })).toBe(2)
    })
    test('consumers of a group share a stream, and what one leaves another takes over', async (space) => {
      const jobs = stream<number>(space, 'jobs')
      for (let n = 0; n < 6; n++) await jobs.append(n)
      const mail = jobs.group('mail')
      const seen: [string, number, number][] = []
      const take = async (consumer: string, count: number, ack: boolean): Promise<void> => {
        for await (const entry of mail.consume({ consumer, batch: 2, claimAfter: 1 })) {
          seen.push([consumer, entry.value, entry.deliveries])
          if (ack) expect(await entry.ack()).toBe(true)
          if (--count === 0) return
        }
      }
      await take('a', 2, false)
      expect(await mail.pending()).toMatchObject({ count: 2, consumers: new Map([['a', 2]]) })
      expect([4, undefined]).toContain(await mail.lag())
      await new Promise((resolve) => setTimeout(resolve, 20))
      await take('b', 6, true)
      expect(seen.slice(0, 2)).toEqual([
        ['a', 0, 1],
        ['a', 1, 1],
      ])
      expect(seen.slice(2, 4)).toEqual([
        ['b', 0, 2],
        ['b', 1, 2],
      ])
      expect(seen.slice(4).map(([, value]) => value)).toEqual([2, 3, 4, 5])
      expect((await mail.pending()).count).toBe(0)
      expect(await mail.destroy()).toBe(true)
      expect(await mail.destroy()).toBe(false)
    })
    test('of a group that is not there nothing is pending, and it cannot be destroyed', async (space) => {
      const [absent, made] = [stream(space, 'absent'), stream(space, 'made')]
      await made.append(1)
      for (const group of [absent.group('g'), made.group('g')]) {
        expect(await group.pending()).toEqual({
          count: 0,
          oldestId: undefined,
          newestId: undefined,
          consumers: new Map(),
        })
        expect([await group.lag(), await group.ack(['1-1']), await group.destroy()]).toEqual([undefined, 0, false])
      }
      expect(await absent.expiresIn()).toBe(undefined)
      await hash(space, 'h').set('f', 1)
      await expect(stream(space, 'h').group('g').pending()).rejects.toEqual(code('WRONG_TYPE'))
    })
    test('in a transaction a group is there or not as elsewhere', async (space) => {
      await stream(space, '{t}s').group('g').create()
      const [made, none, destroyed] = await transaction(space, (all) => {
        const jobs = all.stream('{t}s')
        return [jobs.group('g').create(), jobs.group('none').pending(), jobs.group('none').destroy()]
      })
      expect([made, none.count, destroyed]).toEqual([false, 0, false])
    })
    test('what was deleted while it was pending is so no more once its consumer is back', async (space) => {
      const jobs = stream<number>(space, 'jobs')
      for (let n = 0; n < 3; n++) await jobs.append(n)
      const group = jobs.group('g')
      for await (const entry of group.consume({ consumer: 'a' })) if (entry.value === 2) break
      await jobs.trim({ maxLength: 1 })
      expect((await group.pending()).count).toBe(3)
      for await (const entry of group.consume({ consumer: 'a', batch: 1 })) {
        expect([entry.value, entry.deliveries, (await group.pending()).count]).toEqual([2, 2, 1])
        break
      }
    })
    test('a consumer that comes back gets first what it left, marked', async (space) => {
      const jobs = stream<string>(space, 'jobs')
      await jobs.append('one')
      const group = jobs.group('g')
      for await (const entry of group.consume({ consumer: 'a' })) {
        expect([entry.value, entry.deliveries]).toEqual(['one', 1])
        break
      }
      await jobs.append('two')
      const values: [string, boolean][] = []
      for await (const entry of group.consume({ consumer: 'a' })) {
        values.push([entry.value, entry.deliveries > 1])
        await entry.ack()
        if (values.length === 2) break
      }
      expect(values).toEqual([
        ['one', true],
        ['two', false],
      ])
    })
    test('an entry that is delivered too often is moved away', async (space) => {
      const jobs = stream<string>(space, '{t}jobs')
      await jobs.append('bad')
      const group = jobs.group('g')
      const poison = { after: 2, to: '{t}dead' }
      for (let turn = 0; turn < 2; turn++) {
        for await (const entry of group.consume({ consumer: 'a', poison })) {
          expect(entry.value).toBe('bad')
          break
        }
      }
      await jobs.append('good')
      for await (const entry of group.consume({ consumer: 'a', poison })) {
        expect(entry.value).toBe('good')
        break
      }
      expect((await stream<string>(space, '{t}dead').range()).map(({ value }) => value)).toEqual(['bad'])
      expect((await group.pending()).count).toBe(1)
    })
    test('a group from now leaves what was there, and a loop ends by its signal', async (space) => {
      const jobs = stream<string>(space, 'jobs')
      await jobs.append('old')
      const group = jobs.group('late', { from: 'now' })
      expect(await group.create()).toBe(true)
      expect(await group.create()).toBe(false)
      const abort = new AbortController()
      const seen: string[] = []
      const loop = (async () => {
        for await (const entry of group.consume({ consumer: 'a', signal: abort.signal })) {
          seen.push(entry.value)
          abort.abort(new Error('enough'))
        }
      })()
      await jobs.append('new')
      await expect(loop).rejects.toThrow('enough')
      expect(seen).toEqual(['new'])
    })
    test('a group whose stream is deleted goes on with the next one', async (space) => {
      const jobs = stream<string>(space, 'jobs')
      await jobs.append('one')
      const seen: string[] = []
      for await (const entry of jobs.group('g').consume({ consumer: 'a' })) {
        seen.push(entry.value)
        if (seen.length === 2) break
        await jobs.clear()
        await jobs.append('two')
      }
      expect(seen).toEqual(['one', 'two'])
    })

    test('a bitmap keeps bits', async (space) => {
      const days = bitmap(space, 'days')
      expect(await days.set(100, 1)).toBe(0)
      expect(await days.set(100, 1)).toBe(1)
      expect([await days.get(100), await days.get(5)]).toEqual([1, 0])
      expect([await days.count(), await days.first(1), await days.first(0)]).toEqual([1, 100, 0])
      expect(await bitmap(space, 'none').first(1)).toBe(undefined)
    })
    test('a HyperLogLog counts distinct values', async (space) => {
      const visitors = hyperLogLog<string>(space, '{t}a')
      expect(await visitors.add(['x', 'y', 'x'])).toBe(true)
      expect(await visitors.add(['x'])).toBe(false)
      await hyperLogLog<string>(space, '{t}b').add(['z'])
      expect([await visitors.count(), await visitors.count(['{t}b'])]).toEqual([2, 3])
      await visitors.merge(['{t}b'])
      expect(await visitors.count()).toBe(3)
    })
    test('positions are found by what is near', async (space) => {
      const cities = geo<string>(space, 'cities')
      const paris = { longitude: 2.3522, latitude: 48.8566 }
      expect(
        await cities.setMany([
          ['paris', paris],
          ['rome', { longitude: 12.4964, latitude: 41.9028 }],
        ]),
      ).toBe(2)
      const [found, gone] = await cities.positions(['paris', 'gone'])
      expect(found?.longitude).toBeCloseTo(2.3522, 4)
      expect(gone).toBe(undefined)
      expect(await cities.distance('paris', 'rome', 'km')).toBeCloseTo(1105, -1)
      expect(await cities.distance('paris', 'gone')).toBe(undefined)
      const near = await cities.nearby({ around: paris, within: { radius: 2000 }, unit: 'km' })
      expect(near.map(({ member }) => member)).toEqual(['paris', 'rome'])
      expect(near[1]?.distance).toBeCloseTo(1105, -1)
      const boxed = await cities.nearby({ around: { member: 'paris' }, within: { width: 10, height: 10 }, limit: 1 })
      expect(boxed.map(({ member }) => member)).toEqual(['paris'])
      expect(await cities.delete(['rome'])).toBe(1)
      expect(await cities.size()).toBe(1)
    })

    test('a batch is one round trip with a typed tuple', async (space) => {
      const results = await batch(space, (b) => [
        b.hash<number>('k').set('f', 1),
        b.hash<number>('k').get('f'),
        b.set('s').size(),
        b.sortedSet<string>('z').range({ by: 'rank', from: 0, to: -1 }),
      ])
      const [isNew, value, size, range]: [boolean, number | undefined, number, string[]] = results
      expect([isNew, value, size, range]).toEqual([true, 1, 0, []])
      expect(await batch(space, () => [])).toEqual([])
      await expect(batch(space, (b) => [b.hash('k').get('f'), b.list('k').size()])).rejects.toEqual(code('WRONG_TYPE'))
      await expect(batch(space, (async () => []) as never)).rejects.toEqual(code('INVALID_ARGUMENT'))
    })
    test('a transaction runs as a whole, and names what failed in it', async (space) => {
      const done = await transaction(space, (t) => [
        t.hash<number>('{t}k').incrementBy('f', 2),
        t.list('{t}l').append(['a']),
      ])
      expect(done).toEqual([2, 1])
      const failing = transaction(space, (t) => [t.list('{t}k').size(), t.hash<number>('{t}k').incrementBy('f', 1)])
      await expect(failing).rejects.toMatchObject({
        code: 'WRONG_TYPE',
        maybeExecuted: true,
        message: expect.stringContaining('command 1 of 2'),
      })
      expect(await hash<number>(space, '{t}k').get('f')).toBe(3)
      expect(await transaction(space, () => [])).toEqual([])
    })
    test('calls of one tick act in call order, with those of a cache', async (space) => {
      const counts = hash<number>(space, 'k')
      const cache = createCache({ store: space.store, namespace: 'other', ttl: '1m' })
      const results = await Promise.all([
        counts.incrementBy('f', 1),
        cache.set('x', 1),
        counts.get('f'),
        counts.delete('f'),
        counts.get('f'),
        cache.get('x'),
      ])
      expect(results).toEqual([1, undefined, 1, 1, undefined, 1])
    })
    test('another kind under the key, or foreign text, is WRONG_TYPE', async (space) => {
      await hash(space, 'k').set('f', 1)
      for (const call of [
        () => list(space, 'k').size(),
        () => set(space, 'k').values(),
        () => sortedSet(space, 'k').range({ by: 'rank', from: 0, to: 1 }),
        () => stream(space, 'k').append(1),
        () =>
          hash(space, 'k')
            .get('f')
            .then(() => list(space, 'k').append([1])),
      ]) {
        await expect(call()).rejects.toEqual(code('WRONG_TYPE'))
      }
      await space.store.command([`${space.namespace}:raw`], ['RPUSH', `${space.namespace}:raw`, 'no json'], 'once')
      await expect(list(space, 'raw').at(0)).rejects.toEqual(code('WRONG_TYPE'))
    })
    test('a codec encodes the values, and hides numbers from the server', async ({ store, namespace }) => {
      const codec = {
        mark: 'U',
        encode: async (value: unknown) => JSON.stringify(value).toUpperCase(),
        decode: (text: string) => JSON.parse(text.toLowerCase()),
      }
      const space = { store, namespace: namespace as string, codec }
      const names = hash<string>(space, 'h')
      await names.set('a', 'ada')
      expect(await names.get('a')).toBe('ada')
      expect(await names.getAll()).toEqual(new Map([['a', 'ada']]))
      expect(await store.command([`${namespace}:h`], ['HGET', `${namespace}:h`, 'a'], 'read')).toBe('U"ADA"')
      await expect(names.incrementBy('a', 1)).rejects.toEqual(code('WRONG_TYPE'))
      const [first] = await batch(space, (b) => [
        b.list<string>('l').append(['x', 'y']),
        b.list<string>('l').range(0, -1),
      ])
      expect(first).toBe(2)
    })
    test('bad input is refused before anything is sent', async (space) => {
      const h = hash<unknown>(space, 'k')
      await expect(h.set('f', undefined)).rejects.toEqual(code('INVALID_VALUE'))
      await expect(h.set('f', () => 1)).rejects.toEqual(code('UNENCODABLE'))
      await expect(h.incrementBy('f', 1.5)).rejects.toEqual(code('INVALID_ARGUMENT'))
      await expect(h.expireIn('soon' as never)).rejects.toEqual(code('INVALID_DURATION'))
      await expect(list(space, 'k').append('text' as never)).rejects.toEqual(code('INVALID_ARGUMENT'))
      await expect(list(space, 'k').insert(1, 'beside' as never, 2)).rejects.toEqual(code('INVALID_ARGUMENT'))
      const z = sortedSet(space, 'k')
      await expect(z.set('m', Number.NaN)).rejects.toEqual(code('INVALID_ARGUMENT'))
      await expect(z.set('m', 1, { only: 'new', if: 'higher' })).rejects.toEqual(code('INVALID_ARGUMENT'))
      await expect(z.range({ by: 'rank', from: 0, to: 1, limit: 1 })).rejects.toEqual(code('INVALID_ARGUMENT'))
      await expect(z.range({ by: 'lex' } as never)).rejects.toEqual(code('INVALID_ARGUMENT'))
      await expect(stream(space, 'k').read({ after: '$' })).rejects.toEqual(code('INVALID_ARGUMENT'))
      expect(() => stream(space, 'k').group('')).toThrow('a group has a name')
      await expect(stream(space, 'k').group('g').consume({ consumer: '' }).next()).rejects.toEqual(
        code('INVALID_ARGUMENT'),
      )
      await expect(bitmap(space, 'k').set(-1, 1)).rejects.toEqual(code('INVALID_ARGUMENT'))
      await expect(bitmap(space, 'k').set(1, 2 as never)).rejects.toEqual(code('INVALID_ARGUMENT'))
      await expect(geo(space, 'k').set('m', { longitude: 200, latitude: 0 })).rejects.toEqual(code('INVALID_ARGUMENT'))
      expect(() => hash(space, '')).toThrow(code('INVALID_KEY'))
      expect(() => hash({ ...space, namespace: 'a b' }, 'k')).toThrow(code('INVALID_KEY'))
      expect(await h.size()).toBe(0)
    })
  })
}

describeStructures('embedded', { waits: true, fieldLifetimes: true }, async () => embeddedStore())

const servers = [
  ['Redis 7', 'REDIS7_URL', false],
  ['Redis 8', 'REDIS8_URL', true],
  ['Valkey', 'VALKEY_URL', true],
] as const

for (const [name, variable, fieldLifetimes] of servers) {
  const url = (): string => process.env[variable] as string
  describeStructures(`hither/tcp, ${name}`, { waits: true, fieldLifetimes }, async () => tcpStore({ url: url() }))
  describeStructures(`ioredis, ${name}`, { waits: true, fieldLifetimes }, async () =>
    ioredisStore(await connect(url())),
  )
  let gateway: StartedGateway | undefined
  describeStructures(
    `REST, ${name}`,
    { waits: false, fieldLifetimes },
    async () => {
      gateway = await startGateway({ redis: url() })
      return upstashStore(gateway)
    },
    async () => gateway?.stop(),
  )
}
describeStructures('ioredis Cluster, Redis 8', { waits: false, fieldLifetimes: true }, async () => {
  const nodes = (process.env.CLUSTER_NODES as string).split(',')
  return ioredisStore(await connect(nodes.map((node) => `redis://${node}`)))
})
describeStructures('hither/tcp Cluster, Redis 8', { waits: true, fieldLifetimes: true }, async () => {
  const nodes = (process.env.CLUSTER_NODES as string).split(',')
  return tcpStore(nodes.map((node) => `redis://${node}`))
})

describe('structures without Redis commands', () => {
  it('are refused at construction', () => {
    expect(() => hash({ store: {} as never }, 'k')).toThrow(code('UNSUPPORTED'))
    expect(() => hash(undefined as never, 'k')).toThrow(code('UNSUPPORTED'))
  })
})
