import { type AtomicStore, HitherError, type Wire } from 'hither'
import { bucketLeft, bucketLimit } from './bucket.ts'
import type { Backend } from './client.ts'
import type { Args } from './commands.ts'
import { changeLists, checkMembers, listOf } from './deny-list.ts'
import { countBy, countEvent, most, usage } from './events.ts'
import {
  fixedLimit,
  regionFields,
  regionFixedLimit,
  regionLearn,
  regionSlidingLimit,
  slidingLimit,
  slidingUsed,
  used,
  windowOf,
} from './windows.ts'

type Script = (store: AtomicStore, keys: readonly string[], args: readonly string[]) => Promise<Wire>

/** The limit that `setDynamicLimit` has stored, or else the limit of the call. */
async function limitOf(store: AtomicStore, key: string | undefined, given: string | undefined): Promise<number> {
  const dynamic = key === undefined ? undefined : await store.get(key)
  return dynamic !== undefined && /^\d{1,15}$/.test(dynamic) ? Number(dynamic) : Number(given)
}

/** The scripts of `@upstash/ratelimit` 2.2 and its analytics, by SHA-1 of their text. */
const SCRIPTS: Readonly<Record<string, Script>> = {
  // fixedWindow
  async b2efc02798c8e9b471a10f9b1d5745db89923ff3(store, [key, dynamic], [tokens, window, by]) {
    const [held, number] = windowOf(key as string)
    return Promise.all([
      store.run(fixedLimit, held, [number, 'n', Number(by), Number(window)]),
      limitOf(store, dynamic, tokens),
    ])
  },
  async '823cb2a5a902d69681244f5e28e5ebb8f2a89edd'(store, [key, dynamic], [tokens]) {
    const limit = await limitOf(store, dynamic, tokens)
    const [held, number] = windowOf(key as string)
    return [limit - (await store.run(used, held, [number])), limit]
  },
  // slidingWindow
  async '74740bb3d7792848093cdef586b6b6037c455fd6'(store, [key, before, dynamic], [tokens, now, window, by]) {
    const limit = await limitOf(store, dynamic, tokens)
    const [held, number] = windowOf(key as string)
    const [, previous] = windowOf(before as string)
    const args = [number, previous, limit, Number(now), Number(window), Number(by)] as const
    return [await store.run(slidingLimit, held, args), limit]
  },
  async '7ca36169e0fc9caedd81b4eef8e99854c157f9b5'(store, [key, before, dynamic], [tokens, now, window]) {
    const limit = await limitOf(store, dynamic, tokens)
    const [held, number] = windowOf(key as string)
    const [, previous] = windowOf(before as string)
    return [limit - (await store.run(slidingUsed, held, [number, previous, Number(now), Number(window)])), limit]
  },
  // tokenBucket
  async d60be5bd3d83482ae229309f1f7425424f891204(store, [key, dynamic], [tokens, ...rest]) {
    const limit = await limitOf(store, dynamic, tokens)
    const [interval, rate, now, by] = rest.map(Number) as [number, number, number, number]
    return [...(await store.run(bucketLimit, key as string, [limit, interval, rate, now, by])), limit]
  },
  async '40daf4a441df736f5c99f8b77bbe176c909e5de4'(store, [key, dynamic], [tokens]) {
    const limit = await limitOf(store, dynamic, tokens)
    return [...(await store.run(bucketLeft, key as string, [limit])), limit]
  },
  // cachedFixedWindow
  async '1861a700bafe96c833a483af6b1c28a8897cfdb0'(store, [key], [window, by]) {
    const [held, number] = windowOf(key as string)
    return store.run(fixedLimit, held, [number, 'n', Number(by), Number(window)])
  },
  async eb82f0e853d2fc9a236fa9bfbe704fda6ac2fc36(store, [key]) {
    const [held, number] = windowOf(key as string)
    return store.run(used, held, [number])
  },
  // fixedWindow of several regions
  async e04b753a75909b7f99aae4c04cf8869a8de02a9e(store, [key], [share, window, by]) {
    const [held, number] = windowOf(key as string)
    return store.run(regionFixedLimit, held, [number, share as string, Number(by), Number(window)])
  },
  async e066c8ce3eaca142b0894ad1541e0a58c9924819(store, [key]) {
    const [held, number] = windowOf(key as string)
    return store.run(regionFields, held, [number])
  },
  // slidingWindow of several regions
  async aeb4d8f381e8dafc8e69041baae1324d254ded44(store, [key, before], [tokens, now, window, share, by]) {
    const [held, number] = windowOf(key as string)
    const [, previous] = windowOf(before as string)
    const args = [number, previous, Number(tokens), Number(now), Number(window), Number(by), share as string] as const
    const [allowed, length, ...fields] = await store.run(regionSlidingLimit, held, args)
    return [fields.slice(0, Number(length)), fields.slice(Number(length)), allowed === 1 ? 1 : null]
  },
  async '87828c1088f6a8d1f512a434ea330189982a1c0a'(store, [key, before], [now, window]) {
    const [held, number] = windowOf(key as string)
    const [, previous] = windowOf(before as string)
    return store.run(slidingUsed, held, [number, previous, Number(now), Number(window)])
  },
  // resetUsedTokens: all windows of an id are stored in one key, whose name is the pattern itself
  async '54bd274ddc59fb3be0f42deee2f64322a10e2b50'(store, [pattern]) {
    await store.delete([pattern as string])
    return null
  },
  // the deny list's check
  async e8062088fe7e67994f617766e5d766490de1afb8(store, [all], members) {
    const [held, name] = listOf(all as string) as readonly [string, string]
    const [status, ...denied] = await store.run(checkMembers, held, [name, ...members])
    return [denied, status as number]
  },
  // analytics
  '9489a4bb59e12600757093ecde9e46dcfe14f046': (store, [key], [field]) => countBy(store, key as string, field as string),
  '889f06ad27a40aed3d1ed1fea1d75a2fc556c335': (store, [prefix], args) =>
    usage(store, prefix as string, args.map(Number)),
  bce9567d6a2ce82ccf2767b3bd2b374f8ec904ef: (store, [prefix], args) => most(store, prefix as string, args.map(Number)),
}

/** Runs the package's commands on a store without commands: each as an operation on one key, or as reads. */
export function overOperations(store: AtomicStore): Backend {
  const script = (sha: string | undefined, [count, ...rest]: readonly string[]): Promise<Wire> => {
    const run = SCRIPTS[sha as string]
    if (!run) throw new HitherError('UNSUPPORTED', UNKNOWN)
    return run(store, rest.slice(0, Number(count)), rest.slice(Number(count)))
  }
  const one = async ([name, key = '', ...rest]: Args): Promise<Wire> => {
    if (name === 'EVALSHA') return script(key, rest)
    if (name === 'EVAL') return script(await sha1(key), rest)
    const list = listOf(key)
    if (list) {
      const others = name.endsWith('STORE') ? rest.map((other) => listOf(other)?.[1] ?? other) : rest
      return store.run(changeLists, list[0], [name, list[1], ...others])
    }
    if (name === 'GET') return (await store.get(key)) ?? null
    if (name === 'SET') return store.set(key, rest[0] as string).then(() => 'OK')
    if (name === 'DEL') return store.delete([key, ...rest])
    if (name === 'ZINCRBY') return store.run(countEvent, key, [Number(rest[0]), rest[1] as string])
    const [held, window] = windowOf(key)
    return store.run(regionLearn, held, [window, ...rest])
  }
  return { one, list: (commands) => Promise.all(commands.map(one)) }
}

const UNKNOWN =
  'a store without commands runs the scripts of @upstash/ratelimit 2.2 only: use that version, or a store over Redis'

async function sha1(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-1', new TextEncoder().encode(text)))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
