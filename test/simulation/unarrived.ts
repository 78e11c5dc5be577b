import type { Asking, Birth, Life } from './facts.ts'
import type { World } from './world.ts'

/** A delete that failed: its node takes the key for absent, and deletes it once more. */
interface FailedDelete {
  /** When the call began, and when it was told to have failed, in history. */
  readonly from: number
  readonly failedAt: number
  /** The same by the clock of its node. */
  readonly sinceMs: number
  readonly failedMs: number
  readonly jumps: number
}

/** A value that its node alone gives out. */
interface Kept {
  readonly id: number
  readonly at: number
  /** By the clock of its node. */
  readonly untilMs: number
  readonly jumps: number
}

interface Touch {
  /** The last one, in history. */
  readonly at: number
  /** How many have begun and not ended. */
  readonly open: number
  readonly times: number
}

/** Writes that did not reach the store, and what their nodes owe for them. */
export interface Unarrived {
  /** `certain`: it was tried. */
  deleteFailed(asking: Asking, key: string, certain: boolean): void
  /** The call that ends now has left this value near; where something else is being done to its key, nothing is known. */
  kept(asking: Asking, key: string, id: number, lifeMs: number): void
  /**
   * A node has begun or ended (`by` 1 or -1, 0: both) what may drop this key, or this namespace, from its near tier. `id`:
   * in order to write that value.
   */
  touched(node: string, key: string, by: 1 | 0 | -1, id?: number): void
  /** Whether nothing has touched a key since. */
  isQuiet(node: string, key: string, since: number): boolean
  /** The failed delete by which a value may not be given out to this caller, if any. */
  hiddenBy(asking: Asking, key: string, births: readonly Birth[], storedMs: number): FailedDelete | undefined
  /** The value that this caller must be given; undefined: none is certain. */
  owed(asking: Asking, key: string): number | undefined
  lastFailed(node: string, key: string): FailedDelete | undefined
  /** What is left of failed deletes, by the key they were of. */
  failedDeletes(): Iterable<readonly [node: string, key: string, failedDelete: FailedDelete]>
}

/** A delete that is made good later leaves what was written this much after it, by the clock of its node. */
export const CLOCKS_DIFFER_MS = 5000

export function createUnarrived(world: World, lives: ReadonlyMap<string, Life>): Unarrived {
  const failedDeletes = new Map<string, FailedDelete[]>()
  const keeps = new Map<string, Kept>()
  /** By node and key, then by the value that is written, if any. */
  const touches = new Map<string, Map<number | undefined, Touch>>()
  let instant = { time: 0, at: 0 }
  const lifeOf = ({ node }: Asking): Life => lives.get(node) as Life
  /** Whether nothing but the write of one value has touched a key since. */
  const isQuiet = (node: string, key: string, since: number, except?: number): boolean =>
    [...(touches.get(`${node} ${key}`) ?? [])].every(
      ([id, { at, open }]) => (except !== undefined && id === except) || (open === 0 && at <= since),
    )
  const isOwn = ({ node, names }: Asking, key: string, since: number, id: number): boolean =>
    isQuiet(node, key, since, id) && isQuiet(node, names.generation, since)
  /** When the last instant was over, in history. */
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
          // A clock that jumped meanwhile says nothing of when it was sent.
          sinceMs: certain && jumps === asking.jumps ? asking.clockMs : Number.NEGATIVE_INFINITY,
          failedMs: Math.max(now(), asking.clockMs),
          jumps,
        },
      ])
    },
    kept(asking, key, id, lifeMs) {
      const { jumps, now, maxAgeMs, feedless } = lifeOf(asking)
      const at = world.tick()
      // What ended while it was on its way has dropped nothing of it.
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
