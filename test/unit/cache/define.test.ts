import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { createCache } from '../../../src/index.ts'

const code = (code: string) => expect.objectContaining({ code })
const open = () => createCache({ store: memoryStore(), ttl: '5m', grace: '1h' })

describe('define', () => {
  it.each([
    ['zod', z.object({ id: z.number(), name: z.string() })],
    ['valibot', v.object({ id: v.number(), name: v.string() })],
  ])('checks what is loaded, set and read by a schema of %s', async (_, schema) => {
    const cache = open()
    let answer: unknown = { id: 1, name: 'Ada' }
    const user = cache.define({ name: 'user', schema, key: ({ id }: { id: number }) => `${id}`, load: () => answer })
    expect(await user.get({ id: 1 })).toEqual({ id: 1, name: 'Ada' })
    answer = { id: 'x' }
    expect(await user.get({ id: 1 })).toEqual({ id: 1, name: 'Ada' })
    await expect(async () => await user.get({ id: 2 })).rejects.toEqual(code('INVALID_VALUE'))
    await expect(async () => await user.set({ id: 2 }, { id: 2 } as never)).rejects.toEqual(code('INVALID_VALUE'))
    await user.set({ id: 2 }, { id: 2, name: 'Bob' })
    expect(await user.get({ id: 2 })).toEqual({ id: 2, name: 'Bob' })
    const older = cache.define({ name: 'user', key: ({ id }: { id: number }) => `${id}`, load: () => '' })
    await older.set({ id: 2 }, 'of another form')
    answer = { id: 2, name: 'loaded' }
    expect(await user.get({ id: 2 })).toEqual(answer)
  })
  it('gives the issues of its schema as the cause', async () => {
    const user = open().define({ name: 'user', schema: z.object({ id: z.number() }), load: () => ({ id: 'x' }) })
    const issues = [expect.objectContaining({ path: ['id'] })]
    await expect((async () => await user.get(1))()).rejects.toMatchObject({ code: 'INVALID_VALUE', cause: issues })
    await expect((async () => await user.set(1, {} as never))()).rejects.toMatchObject({ cause: issues })
  })
  it('refuses a key that is no text, and an option that does not exist', async () => {
    const cache = open()
    const kind = cache.define({ name: 'n', key: (params: { k?: string }) => params.k as string, load: () => 1 })
    const wrapped = cache.wrap((params: { k?: string }) => params, { name: 'w', key: (params) => params.k as string })
    for (const call of [() => kind.get({}), () => kind.set({}, 1), () => kind.delete({}), () => wrapped({})])
      await expect((async () => await call())()).rejects.toEqual(code('INVALID_KEY'))
    expect(() => cache.define({ name: 'n', load: () => 1, tll: '5m' } as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    )
  })
  it('says of a schema that changes the type of a value that it cannot be read again', async () => {
    const schema = z.string().transform(Number)
    const length = open().define({ name: 'n', schema, load: () => '5' })
    await expect(async () => await length.get(1)).rejects.toThrow(/own output/)
  })
  it('keeps kinds apart by name, and calls of one kind by their parameters', async () => {
    const cache = open()
    const kind = (name: string) =>
      cache.define({ name, load: ({ a, b }: { a: string; b?: number }) => `${name} ${a} ${b}` })
    const [one, two] = [kind('k'), kind('k:')]
    const calls = [{ a: 'x' }, { a: 'x', b: 1 }, { a: ':x' }]
    for (const params of calls) {
      expect(await one.get(params)).toBe(`k ${params.a} ${params.b}`)
      expect(await two.get(params)).toBe(`k: ${params.a} ${params.b}`)
      expect(await one.get(params)).toBe(`k ${params.a} ${params.b}`)
    }
  })
  it('deletes, and makes stale what the next get replaces, or falls back on', async () => {
    let loads = 0
    let fails = false
    const one = open().define({
      name: 'n',
      load: (id: number) => {
        if (fails) throw new Error('down')
        return id * 100 + ++loads
      },
    })
    expect(await one.get(1)).toBe(101)
    expect([await one.delete(1), await one.delete(1)]).toEqual([true, false])
    expect(await one.get(1)).toBe(102)
    expect(await one.invalidate(1)).toBe(true)
    fails = true
    expect(await one.get(1)).toBe(102)
    fails = false
    expect(await one.get(1)).toBe(103)
    expect(await one.get(1, { forceFresh: true })).toBe(104)
  })
  it('tags by parameters, in the namespace of its cache', async () => {
    const cache = open()
    let loads = 0
    const post = cache.define({
      name: 'post',
      tags: ({ by }: { id: number; by: string }) => [`user:${by}`],
      load: () => ++loads,
    })
    await post.get({ id: 1, by: 'a' })
    await post.set({ id: 2, by: 'b' }, 50)
    await cache.invalidateTags(['user:b'])
    expect([await post.get({ id: 1, by: 'a' }), await post.get({ id: 2, by: 'b' })]).toEqual([1, 2])
  })
  it('loads many at once where it can, and those that are missing only', async () => {
    const cache = open()
    const asked: (readonly number[])[] = []
    const square = cache.define({
      name: 'square',
      load: (n: number) => n * n,
      loadMany: (list) => {
        asked.push(list)
        return list.map((n) => (n < 0 ? undefined : n * n))
      },
    })
    await square.get(2)
    expect(await square.getMany([3, 2, -1, 3])).toEqual([9, 4, undefined, 9])
    expect(asked).toEqual([[3, -1]])
    const single = cache.define({ name: 'single', load: (n: number) => n + 1 })
    expect(await single.getMany([1, 2])).toEqual([2, 3])
    const wrong = cache.define({ name: 'wrong', load: (n: number) => n, loadMany: () => ({}) as never })
    await expect(async () => await wrong.getMany([1])).rejects.toEqual(code('INVALID_ARGUMENT'))
  })
  it('gives no key the value of another where loadMany leaves out what does not exist', async () => {
    const cache = open()
    for (const rows of [['of 2'], ['of 1', 'of 2', 'of 3']]) {
      const user = cache.define({ name: 'user', load: (n: number) => `of ${n}`, loadMany: () => rows })
      await expect(user.getMany([1, 2])).rejects.toEqual(code('INVALID_ARGUMENT'))
    }
    const user = cache.define({ name: 'user', load: (n: number) => `of ${n}` })
    expect(await user.getMany([1, 2])).toEqual(['of 1', 'of 2'])
  })
  it('loads those that were in its list when it was called', async () => {
    const loadMany = (list: readonly number[]) => list.map((n) => `of ${n}`)
    const user = open().define({ name: 'user', load: (n: number) => `of ${n}`, loadMany })
    const list = [1, 2]
    const found = user.getMany(list)
    list.pop()
    expect(await found).toEqual(['of 1', 'of 2'])
  })
  it('refuses what is no list of parameters', async () => {
    const kind = open().define({ name: 'n', load: (n: unknown) => n })
    for (const list of [undefined, null, 'text', { 0: 1 }])
      await expect(kind.getMany(list as never)).rejects.toEqual(code('INVALID_ARGUMENT'))
  })
  it('gives a caller of another load the output of its own schema, as a hit does', async () => {
    const cache = open()
    const schema = z.object({ id: z.number(), name: z.string().default('nobody') })
    const door = Promise.withResolvers<unknown>()
    const isRunning = Promise.withResolvers<void>()
    const first = cache.getOrSet('k', () => {
      isRunning.resolve()
      return door.promise
    })
    await isRunning.promise
    const second = cache.getOrSet('k', () => ({}), { schema })
    await new Promise((resolve) => setTimeout(resolve, 5))
    door.resolve({ id: 1 })
    expect([await first, await second]).toEqual([{ id: 1 }, { id: 1, name: 'nobody' }])
    expect(await cache.getOrSet('k', () => ({}), { schema })).toEqual(await second)
  })
  it('refuses what makes no sense', async () => {
    const cache = open()
    for (const wrong of [{}, { name: 'x' }, { load: () => 1 }, { name: '', load: () => 1 }, undefined])
      expect(() => cache.define(wrong as never)).toThrow(code('INVALID_ARGUMENT'))
    const unplain = cache.define({ name: 'unplain', load: (_: unknown) => 1 })
    await expect(async () => await unplain.get(() => 1)).rejects.toEqual(code('UNENCODABLE'))
  })
  it('rejects, and throws nothing, where parameters have no key and no tags', async () => {
    const fail = (): never => {
      throw new Error('of the caller')
    }
    const cache = open()
    const kinds = [
      cache.define({ name: 'keyless', key: fail, load: (_: number) => 1 }),
      cache.define({ name: 'tagless', tags: fail, load: (_: number) => 1 }),
    ]
    for (const kind of kinds) {
      const calls: Promise<unknown>[] = [kind.get(1), kind.getMany([1]), kind.set(1, 1)]
      if (kind === kinds[0]) calls.push(kind.delete(1), kind.invalidate(1))
      for (const { status } of await Promise.allSettled(calls)) expect(status).toBe('rejected')
    }
  })
})
