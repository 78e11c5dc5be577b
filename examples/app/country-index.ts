import type { Cache } from 'hither'
import type { Lock, Locks } from 'hither/lock'
import type { Places } from './places.ts'

export interface Country {
  /** ISO 3166 code. */
  readonly country: string
  readonly places: number
  readonly people: number
}

/** What is known of the countries. */
export interface CountryIndex {
  readonly madeMs: number
  readonly countries: number
  readonly places: number
  /** The countries with the largest population on file, largest first. */
  readonly largest: readonly Country[]
}

/** Progress of the recomputation under way. */
export interface Progress {
  readonly done: number
  readonly of: number
}

export interface IndexState {
  readonly index: CountryIndex | undefined
  /** The index is being recomputed, here or on another server. */
  readonly running: Progress | undefined
}

export type Recomputed = { readonly ran: true; readonly index: CountryIndex } | ({ readonly ran: false } & IndexState)

const SLICES = 20
const LARGEST = 5

export async function readIndex(cache: Cache): Promise<IndexState> {
  const [index, running] = await Promise.all([cache.get<CountryIndex>('index'), cache.get<Progress>('index:progress')])
  return { index, running }
}

export interface Recompute {
  readonly cache: Cache
  readonly locks: Locks
  readonly places: Places
  readonly pause: () => Promise<unknown>
  /** Ends the wait for the lock. */
  readonly signal: AbortSignal
}

/**
 * Recomputes the index under a lock: of all callers at once, on all servers that share the store, one computes, and the others
 * get its progress. It pauses after each slice, so that a server with one thread can handle other requests meanwhile.
 */
export async function recompute({ cache, locks, places, pause, signal }: Recompute): Promise<Recomputed> {
  const work = async (lock: Lock): Promise<CountryIndex> => {
    const counts = new Map<number, { places: number; people: number }>()
    for (let slice = 0; slice < SLICES; slice++) {
      lock.assertHeld() // another may be the holder by now: leave its progress alone
      // The lifetime ends the progress of a process that died.
      await cache.set('index:progress', { done: slice, of: SLICES } satisfies Progress, { ttl: '5s' })
      addSlice(counts, places, slice)
      await pause()
    }
    const largest = [...counts]
      .map(([code, count]) => ({ country: places.countries[code] as string, ...count }))
      .sort((a, b) => b.people - a.people)
      .slice(0, LARGEST)
    const index: CountryIndex = { madeMs: Date.now(), countries: counts.size, places: places.count, largest }
    lock.assertHeld()
    await Promise.all([cache.set('index', index, { ttl: '1d' }), cache.delete('index:progress')])
    return index
  }
  const done = await locks.run('index', work, { signal })
  return done.acquired ? { ran: true, index: done.value } : { ran: false, ...(await readIndex(cache)) }
}

function addSlice(counts: Map<number, { places: number; people: number }>, places: Places, slice: number): void {
  const end = Math.ceil((places.count * (slice + 1)) / SLICES)
  for (let i = Math.ceil((places.count * slice) / SLICES); i < end; i++) {
    const code = places.country[i] as number
    const count = counts.get(code) ?? { places: 0, people: 0 }
    count.places += 1
    count.people += places.population[i] as number
    counts.set(code, count)
  }
}
