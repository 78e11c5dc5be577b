import type { Cache } from '../../../src/index.ts'

/** The calls that remove, end or replace a value. */
export const acts = ['delete', 'set', 'invalidateTags', 'keepStale', 'expire', 'clear'] as const

/** One key on which a call of `acts` runs while a load of the key is under way. */
export interface Round {
  readonly namespace: string
  readonly key: string
  readonly act: (typeof acts)[number]
  /** Whether a stale copy is stored before. */
  readonly prior: boolean
  /** How long the load takes, in milliseconds; undefined: until `end` is called. */
  readonly loadMs?: number
}

/** What later callers got. */
export interface Later {
  readonly got: unknown
  readonly loaded: readonly unknown[]
  /** How often their loader ran. */
  readonly runs: number
}

export interface Stampede {
  readonly runs: number
  readonly answers: readonly unknown[]
  /** Time from the first call until the last one resolved, in milliseconds. */
  readonly wallMs: number
}

/** The outcome for many keys: how often a loader ran, and how many calls got a value that the loader does not return. */
export interface Swept {
  readonly runs: number
  readonly wrong: number
}

/** Controls a cache in this process or in a child process. Arguments and results are plain data. */
export interface Agent {
  /** At `atMs` in epoch milliseconds, `callers` calls load one key at once. */
  stampede(key: string, callers: number, loadMs: number, atMs: number): Promise<Stampede>
  /**
   * From `atMs` in epoch milliseconds on, two callers load each of `keys` keys, fifty keys at a time; `keys` is a multiple of 64.
   * The keys are in the namespace `prefix`, and have the tags that `act` invalidates for a key named `prefix`. Every other load
   * takes 2 ms. `order`, 0 to 63, changes the order of the keys within each block of 64.
   */
  sweep(prefix: string, keys: number, atMs: number, order: number): Promise<Swept>
  /** Starts three callers of one key, whose loader returns `old:<key>`. Resolves once the loader runs. */
  begin(round: Round): Promise<void>
  /** Ends the load of a round. */
  end(round: Round): Promise<void>
  /** Resolves to what the callers of `begin` got. */
  old(round: Round): Promise<readonly unknown[]>
  act(round: Round): Promise<void>
  /** Calls the key in every way, with loaders that return `new:<key>`. */
  later(round: Round): Promise<Later>
  get(round: Round): Promise<unknown>
  stats(): Promise<{ inFlight: number; loads: number; storeErrors: number }>
  flush(): Promise<void>
  close(): Promise<void>
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export function createAgent(cache: Cache): Agent {
  const begun = new Map<string, { readonly end: () => void; readonly answers: Promise<unknown[]> }>()
  const at = (round: Round): { own: Cache; key: string; tags: string[] } => {
    const tags = [`${round.key}:a`, `${round.key}:b`]
    return { own: round.namespace ? cache.namespace(round.namespace) : cache, key: round.key, tags }
  }
  return {
    async stampede(key, callers, loadMs, atMs) {
      await pause(atMs - Date.now())
      let runs = 0
      const load = async (): Promise<string> => {
        runs++
        await pause(loadMs)
        return `value of ${key}`
      }
      const started = performance.now()
      const answers = await Promise.all(Array.from({ length: callers }, () => cache.getOrSet(key, load)))
      return { runs, answers: [...new Set(answers)], wallMs: performance.now() - started }
    },
    async sweep(prefix, keys, atMs, order) {
      await pause(atMs - Date.now())
      const own = cache.namespace(prefix)
      const tags = [`${prefix}:a`, `${prefix}:b`]
      let [runs, wrong, next] = [0, 0, 0]
      const lane = async (): Promise<void> => {
        while (next < keys) {
          const key = `${prefix}:${next++ ^ order}`
          const load = async (): Promise<string> => {
            runs++
            if (next % 2) await pause(2)
            return `value of ${key}`
          }
          const answers = await Promise.all([own.getOrSet(key, load, { tags }), own.getOrSet(key, load, { tags })])
          wrong += answers.filter((answer) => answer !== `value of ${key}`).length
        }
      }
      await Promise.all(Array.from({ length: 50 }, lane))
      return { runs, wrong }
    },
    async begin(round) {
      const { own, key, tags } = at(round)
      if (round.prior) {
        await own.set(key, `prior:${key}`, { tags })
        await own.expire(key)
      }
      const { promise: running, resolve: runs } = Promise.withResolvers<void>()
      const { promise: ended, resolve: end } = Promise.withResolvers<void>()
      const load = async (): Promise<string> => {
        runs()
        await (round.loadMs === undefined ? ended : pause(round.loadMs))
        return `old:${key}`
      }
      const answers = Promise.all(Array.from({ length: 3 }, () => own.getOrSet(key, load, { tags })))
      begun.set(key, { end, answers })
      await Promise.race([running, answers])
    },
    async end({ key }) {
      begun.get(key)?.end()
    },
    async old({ key }) {
      const answers = await begun.get(key)?.answers
      begun.delete(key)
      return answers ?? []
    },
    async act(round) {
      const { own, key, tags } = at(round)
      const acts: Record<Round['act'], () => Promise<unknown>> = {
        delete: () => own.delete(key),
        set: () => own.set(key, `set:${key}`, { tags }),
        invalidateTags: () => own.invalidateTags([tags[1] as string]),
        keepStale: () => own.invalidateTags([tags[0] as string], { keepStale: true }),
        expire: () => own.expire(key),
        clear: () => own.clear(),
      }
      await acts[round.act]()
    },
    async later(round) {
      const { own, key, tags } = at(round)
      let runs = 0
      const load = (): string => {
        runs++
        return `new:${key}`
      }
      const [got, many, ...loaded] = await Promise.all([
        own.get(key, { tags }),
        own.getOrSetMany([key], ([missing = '']) => ({ [missing]: load() }), { tags }),
        own.getOrSet(key, load, { tags }),
        own.getOrSet(key, load),
      ])
      return { got, loaded: [many.get(key), ...loaded], runs }
    },
    get: (round) => at(round).own.get(round.key),
    stats: async () => cache.stats(),
    flush: () => cache.flush(),
    close: () => cache.close(),
  }
}
