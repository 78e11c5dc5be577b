import type { Asking, Birth, Life } from './facts.ts'
import type { World } from './world.ts'

/** A failed delete: its node treats the key as absent, and retries the delete. */
interface FailedDelete {
  /** When the call began, and when it failed, in history. */
  readonly from: number
  readonly failedAt: number
  /** The same by the clock of its node. */
  readonly sinceMs: number
  readonly failedMs: number
  readonly jumps: number
}

/** A value that only its node serves. */
interface Kept {
  readonly id: number
  readonly at: number
  /** End of its lifetime, by the clock of its node. */
  readonly untilMs: number
  readonly jumps: number
}

interface Touch {
  /** The last touch, in history. */
  readonly at: number
  /** Number of touches that have begun and not ended. */
  readonly open: number
  readonly times: number
}

/** Writes and deletes that did not reach the store, and what their nodes must serve or hide because of them. */
export interface Unarrived {
  /** Records a failed delete. `certain`: it is certain that the node tried it. */
  deleteFailed(asking: Asking, key: string, certain: boolean): void
  /** Records that the call that ends now kept this value in the near tier, unless something else touches the key meanwhile. */
  kept(asking: Asking, key: string, id: number, lifeMs: number): void
  /**
   * Records that a node began or ended (`by` 1 or -1, 0: both) a call that may drop this key, or this namespace, from its near
   * tier. `id`: the number of the value that the call writes.
   */
  touched(node: string, key: string, by: 1 | 0 | -1, id?: number): void
  /** Whether nothing has touched the key since this moment in history. */
  isQuiet(node: string, key: string, since: number): boolean
  /** Returns the failed delete that forbids serving a value to this caller, if any. */
  hiddenBy(asking: Asking, key: string, births: readonly Birth[], storedMs: number): FailedDelete | undefined
  /** Returns the number of the value that this caller must get; undefined where none is certain. */
  owed(asking: Asking, key: string): number | undefined
  lastFailed(node: string, key: string): FailedDelete | undefined
  /** The failed deletes, by node and key. */
  failedDeletes(): Iterable<readonly [node: string, key: string, failedDelete: FailedDelete]>
}

/** The retry of a failed delete spares a value written this much later than the delete, by the clock of its node. */
export const CLOCKS_DIFFER_MS = 5000

export function createUnarrived(world: World, lives: ReadonlyMap<string, Life>): Unarrived {
  const failedDeletes = new Map<string, FailedDelete[]>()
  const keeps = new Map<string, Kept>()
  /** By node and key, then by the number of the value that is written, if any. */
  const touches = new Map<string, Map<number | undefined, Touch>>()
  let instant = { time: 0, at: 0 }
  const lifeOf = ({ node }: Asking): Life => lives.get(node) as Life
  /** Whether nothing but the write of the value `except` has touched the key since. */
  const isQuiet = (node: string, key: string, since: number, except?: number): boolean =>
    [...(touches.get(`${node} ${key}`) ?? [])].every(
      ([id, { at, open }]) => (except !== undefined && id === except) || (open === 0 && at <= since),
    )
  const isOwn = ({ node, names }: Asking, key: string, since: number, id: number): boolean =>
    isQuiet(node, key, since, id) && isQuiet(node, names.generation, since)
  /** The moment of history at which the previous instant of the virtual clock ended. */
  const beforeNow = (): number => {
    if (instant.time < world.time) instant = { time: world.time, at: world.tick() }
    return instant.at
  }

  return {
    deleteFailed(asking, key, certain) {
      const { jumps, now, maxAgeMs } = lifeOf(asking)
      if (maxAgeMs === 0) return
      const who = `${asking.node} ${key}`
      failedDeletes.set(who, [
        ...(failedDeletes.get(who) ?? []),
        {
          from: asking.from,
          failedAt: world.tick(),
          // After a clock jump, the clock no longer shows when the delete was sent.
          sinceMs: certain && jumps === asking.jumps ? asking.clockMs : Number.NEGATIVE_INFINITY,
          failedMs: Math.max(now(), asking.clockMs),
          jumps,
        },
      ])
    },
    kept(asking, key, id, lifeMs) {
      const { jumps, now, maxAgeMs, feedless } = lifeOf(asking)
      const at = world.tick()
      // A barrier that ended while the value was under way dropped nothing of it.
      const sent = (touches.get(`${asking.node} ${key}`)?.get(id)?.times ?? 0) > 2
      const since = sent ? beforeNow() : asking.from
      if (!feedless || jumps !== asking.jumps || !isOwn(asking, key, since, id)) return
      keeps.set(`${asking.node} ${key}`, { id, at, untilMs: now() + Math.min(maxAgeMs, lifeMs) - 2, jumps })
    },
    touched(node, key, by, id) {
      const who = `${node} ${key}`
      const known: Map<number | undefined, Touch> = touches.get(who) ?? new Map()
      const { open, times } = known.get(id) ?? { open: 0, times: 0 }
      beforeNow()
      touches.set(who, known.set(id, { at: world.tick(), open: open + by, times: times + 1 }))
    },
    isQuiet,
    hiddenBy(asking, key, births, storedMs) {
      const { jumps, now, maxAgeMs } = lifeOf(asking)
      return failedDeletes
        .get(`${asking.node} ${key}`)
        ?.find(
          (failedDelete) =>
            failedDelete.failedAt < asking.from &&
            failedDelete.jumps === jumps &&
            now() < failedDelete.sinceMs + maxAgeMs &&
            storedMs < failedDelete.sinceMs + CLOCKS_DIFFER_MS &&
            births.every(({ atKey }) => atKey < failedDelete.from),
        )
    },
    owed(asking, key) {
      const kept = keeps.get(`${asking.node} ${key}`)
      const { jumps } = lifeOf(asking)
      if (!kept || kept.jumps !== jumps || kept.at > asking.from || asking.clockMs >= kept.untilMs) return undefined
      return isOwn(asking, key, kept.at, kept.id) ? kept.id : undefined
    },
    lastFailed: (node, key) => failedDeletes.get(`${node} ${key}`)?.at(-1),
    *failedDeletes() {
      for (const [who, list] of failedDeletes) {
        const [node = '', key = ''] = who.split(' ')
        for (const failedDelete of list) yield [node, key, failedDelete]
      }
    },
  }
}
