import type { AtomicStore } from '../../../src/index.ts'
import { pause } from './ways.ts'

/** Totals of a load so far. */
export interface LoadTotal {
  ok: number
  failed: number
  /** Reads whose value no write of that key explains. */
  readonly wrong: string[]
  /** The longest call, in milliseconds, without the time in which this process did not get to run. */
  longest: number
}

export interface CheckedLoad {
  /** Resolves when the next call succeeds. */
  answered(): Promise<void>
  /** Resolves once every call has settled. */
  stop(): Promise<LoadTotal>
}

/** What one worker knows about one of its keys. */
interface Known {
  /** The last write that was acknowledged. */
  acknowledged: number
  /** Failed writes that may have run or may run at any later moment. */
  readonly inDoubt: Set<number>
}

const WORKERS = 8
const KEYS = 20

/**
 * Starts workers that read and write, each on its own keys. A read is right if it returns the last acknowledged write, or a
 * failed one that may have run. With `forgets` an absent value is right too, since a server that was killed has lost its data.
 * `lostMs`: see `createStallMeter`.
 */
export function startCheckedLoad(
  store: AtomicStore,
  { lostMs, forgets }: { readonly lostMs: () => number; readonly forgets: boolean },
): CheckedLoad {
  const total: LoadTotal = { ok: 0, failed: 0, wrong: [], longest: 0 }
  let waiting: (() => void)[] = []
  let over = false
  let number = 0
  const one = async (key: string, known: Known): Promise<void> => {
    const started = performance.now() - lostMs()
    const next = ++number
    const writes = Math.random() < 0.3
    try {
      if (writes) {
        await store.set(key, `${key}|${next}`, 60_000)
        known.acknowledged = next
      } else {
        const text = await store.get(key)
        const found = text?.startsWith(`${key}|`) ? Number(text.slice(key.length + 1)) : text
        const isAbsent = found === undefined && (forgets || known.acknowledged === 0)
        if (!isAbsent && found !== known.acknowledged && !known.inDoubt.has(found as number)) {
          total.wrong.push(`${key}: ${text}, not ${known.acknowledged}`)
        }
      }
      total.ok++
      for (const resolve of waiting.splice(0)) resolve()
    } catch (error) {
      if (writes && (error as { maybeExecuted?: unknown }).maybeExecuted !== false) known.inDoubt.add(next)
      total.failed++
      await pause(2)
    }
    total.longest = Math.max(total.longest, performance.now() - lostMs() - started)
  }
  const workers = Array.from({ length: WORKERS }, async (_, worker) => {
    const known = Array.from({ length: KEYS }, (): Known => ({ acknowledged: 0, inDoubt: new Set() }))
    for (let i = 0; !over; i++) {
      const at = Math.floor(Math.random() * KEYS)
      await one(`load:${worker}:${at}`, known[at] as Known)
      if (i % 10 === 9) await pause(1)
    }
  })
  return {
    answered: () => new Promise((resolve) => waiting.push(resolve)),
    async stop() {
      over = true
      await Promise.all(workers)
      waiting = []
      return total
    },
  }
}
