import { Redis as Upstash } from '@upstash/redis'
import { startDev, type TestDev } from 'hither/testing/node'
import { createClient } from 'redis'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'

let dev: TestDev
let redis: Upstash
beforeAll(async () => {
  dev = await startDev()
  redis = new Upstash({ url: dev.url, token: dev.token })
})
beforeEach(() => redis.flushall())
afterAll(() => dev.stop())

// The calls and results are those of the client's own documentation and tests.
it('@upstash/redis reads and writes documents', async () => {
  const user = { name: 'Ada', age: 36, tags: ['x'], at: { city: 'Zürich' }, on: true }
  expect(await redis.json.set('user', '$', user)).toBe('OK')
  expect(await redis.json.set('user', '$', user, { nx: true })).toBeNull()
  expect(await redis.json.set('none', '$', user, { xx: true })).toBeNull()
  expect(await redis.json.get('user')).toEqual(user)
  expect(await redis.json.get('user', '$.at.city')).toEqual(['Zürich'])
  expect(await redis.json.get('user', { indent: '\t', newline: '\n', space: ' ' }, '$')).toEqual([user])
  expect(await redis.json.get('user', '$.name', '$.age')).toEqual({ '$.name': ['Ada'], '$.age': [36] })
  expect(await redis.json.get('none')).toBeNull()
  expect(
    await redis.json.mset({ key: 'a', path: '$', value: { n: 1 } }, { key: 'b', path: '$', value: { n: 2 } }),
  ).toBe('OK')
  expect(await redis.json.mget(['a', 'none', 'b'], '$.n')).toEqual([[1], null, [2]])
  expect(await redis.json.merge('user', '$', { age: null, at: { zip: 1 } } as never)).toBe('OK')
  expect(await redis.json.get('user', '$.at')).toEqual([{ city: 'Zürich', zip: 1 }])
  expect(await redis.json.type('user', '$.tags')).toEqual(['array'])
  expect(await redis.json.del('user', '$.tags')).toBe(1)
  expect(await redis.json.forget('user', '$')).toBe(1)
})

it('@upstash/redis counts, appends and toggles', async () => {
  await redis.json.set('k', '$', { n: 2, s: 'ab', on: true, o: { a: 1, b: 2 }, f: 1.5 })
  expect(await redis.json.numincrby('k', '$.n', 3)).toEqual([5])
  expect(await redis.json.nummultby('k', '$.f', 2)).toEqual([3])
  expect(await redis.json.strappend('k', '$.s', '"cd"')).toEqual([4])
  expect(await redis.json.strlen('k', '$.s')).toEqual([4])
  expect(await redis.json.toggle('k', '$.on')).toEqual([0])
  expect(await redis.json.objkeys('k', '$.o')).toEqual([['a', 'b']])
  expect(await redis.json.objlen('k', '$.o')).toEqual([2])
  expect(await redis.json.resp('k', '$.o')).toEqual([['{', 'a', 1, 'b', 2]])
  expect(await redis.json.clear('k', '$.o')).toBe(1)
  expect(await redis.json.get('k', '$.o')).toEqual([{}])
})

it('@upstash/redis changes arrays', async () => {
  await redis.json.set('k', '$', { l: [1, 2, 3], m: { l: ['a', 'b'] } })
  expect(await redis.json.arrappend('k', '$..l', 4)).toEqual([4, 3])
  expect(await redis.json.arrindex('k', '$.l', 3)).toEqual([2])
  expect(await redis.json.arrindex('k', '$.m.l', '"b"')).toEqual([1])
  expect(await redis.json.arrinsert('k', '$.l', 1, '"x"', 7)).toEqual([6])
  expect(await redis.json.arrlen('k', '$.l')).toEqual([6])
  expect(await redis.json.arrpop('k', '$.l')).toEqual([4])
  expect(await redis.json.arrpop('k', '$.l', 0)).toEqual([1])
  expect(await redis.json.arrtrim('k', '$.l', 0, 1)).toEqual([2])
  expect(await redis.json.get('k', '$.l')).toEqual([['x', 7]])
})

it('@upstash/redis in a pipeline and in a transaction', async () => {
  for (const batch of [redis.pipeline(), redis.multi()]) {
    batch.json.set('p', '$', { n: 1 })
    batch.json.numincrby('p', '$.n', 1)
    batch.json.get('p', '$')
    expect(await batch.exec()).toEqual(['OK', [2], [{ n: 2 }]])
  }
})

it('node-redis, in both protocols', async () => {
  for (const RESP of [2, 3] as const) {
    const client = createClient({ url: dev.redisUrl, RESP })
    await client.connect()
    await client.json.set('k', '$', { n: 1, list: [1, 2], f: 0.5 })
    expect(await client.json.get('k', { path: '$.n' })).toEqual([1])
    expect(await client.json.numIncrBy('k', '$.n', 2)).toEqual([3])
    expect(await client.json.numIncrBy('k', '$.f', 0.25)).toEqual([0.75])
    expect(await client.json.arrAppend('k', '$.list', { x: 1 })).toEqual([3])
    expect(await client.json.arrPop('k', { path: '$.list' })).toEqual([{ x: 1 }])
    expect([await client.json.type('k', { path: '$.list' })].flat(2)).toEqual(['array'])
    expect(await client.json.del('k')).toBe(1)
    await client.close()
  }
})
