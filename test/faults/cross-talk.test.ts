import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Operation } from '../../src/protocol/operation.ts'
import { rounds } from '../support/rounds.ts'
import { type FaultyStore, pause, startWay, type Way, wayNames } from './support/ways.ts'

// Every reply shows which call it belongs to: values contain their key, an echo contains its nonce. So a reply that reaches the
// wrong caller, because a call aborted, a connection was cut or a reply came byte by byte, is seen at once.

const MANY = rounds({ quick: 5000, soak: 50_000 })
const ANSWERS = { TCP: MANY, 'own TCP': MANY, Cluster: MANY / 2, 'own Cluster': MANY / 2, REST: MANY / 2 }
const WORKERS = 8
/** Calls made in one tick. */
const BATCH = 50
const KEYS = 200

const echo: Operation<readonly [nonce: number], string> = {
  name: 'test.echo',
  effect: 'read',
  lua: `return KEYS[1] .. '|' .. ARGV[1]`,
  apply: (current) => ({ next: current, ttl: 'keep', reply: '' }),
}

describe('no answer reaches another caller', () => {
  const ways: Record<string, Way> = {}
  beforeAll(async () => {
    for (const name of wayNames) ways[name] = await startWay(name)
  }, 60_000)
  afterAll(async () => {
    await Promise.all(Object.values(ways).map((way) => way.stop()))
  }, 30_000)

  for (const name of wayNames) {
    const least = ANSWERS[name]
    it(`in ${least} answers with aborts, cuts and slices, ${name}`, async () => {
      const way = ways[name] as Way
      const store = await way.open({ timeoutMs: 5000 })
      const seen = await runLoad(way, store, least)
      console.log(
        `${name}: ${Object.entries(seen)
          .map(([what, n]) => `${n} ${what}`)
          .join(', ')}`,
      )
      expect(seen.mismatches).toBe(0)
      expect(seen.answered).toBeGreaterThanOrEqual(least)
      expect(seen.aborted).toBeGreaterThan(least / 50)
      expect(seen.cuts).toBeGreaterThan(2)
    }, 180_000)
  }
})

async function runLoad(
  way: Way,
  store: FaultyStore,
  least: number,
): Promise<{ answered: number; aborted: number; failed: number; cuts: number; mismatches: number }> {
  const seen = { answered: 0, aborted: 0, failed: 0, cuts: 0, mismatches: 0 }
  const reason = new Error('the caller left')
  let nonce = 0
  const keyOf = (): string => `talk:${Math.floor(Math.random() * KEYS)}`
  const fits = (key: string, value: string | undefined): boolean => value === undefined || value.startsWith(`${key}|`)
  const one = async (): Promise<void> => {
    const key = keyOf()
    const mine = ++nonce
    const kind = mine % 5
    let call = {}
    if (Math.random() < 0.05) {
      const abort = new AbortController()
      call = { signal: abort.signal }
      if (mine % 2) queueMicrotask(() => queueMicrotask(() => queueMicrotask(() => abort.abort(reason))))
      else setTimeout(() => abort.abort(reason), Math.random() * 4)
    }
    try {
      if (kind === 0) await store.set(key, `${key}|${mine}`, 60_000, call)
      else if (kind === 1) {
        if ((await store.run(echo, key, [mine], call)) !== `${key}|${mine}`) seen.mismatches++
      } else if (kind === 2) {
        const keys = [key, keyOf(), 'talk:none', keyOf()]
        const values = await store.getMany(keys, call)
        if (!keys.every((each, i) => fits(each, values[i])) || values[2] !== undefined) seen.mismatches++
      } else if (kind === 3 && mine % 10 === 3) {
        const reply = await store.transport.send({ args: ['GET', key], effect: 'read' }, call)
        if (!fits(key, (reply as string | null) ?? undefined)) seen.mismatches++
      } else if (!fits(key, await store.get(key, call))) seen.mismatches++
      seen.answered++
    } catch (error) {
      if (error === reason) seen.aborted++
      else {
        seen.failed++
        await pause(20)
      }
    }
  }
  let over = false
  const faults = (async () => {
    for (let i = 0; !over; i++) {
      await pause(100)
      way.slice(i % 5 === 1)
      if (i % 5 > 0) continue
      way.cut()
      seen.cuts++
    }
    way.slice(false)
  })()
  await Promise.all(
    Array.from({ length: WORKERS }, async () => {
      while (seen.answered < least || seen.cuts < 4) await Promise.all(Array.from({ length: BATCH }, one))
    }),
  )
  over = true
  await faults
  return seen
}
