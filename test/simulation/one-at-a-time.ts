import type { Asking, Life } from './facts.ts'
import type { Oracle } from './oracle.ts'
import type { World } from './world.ts'

interface Run {
  readonly from: number
  readonly since: number
  readonly jumps: number
  readonly signal: AbortSignal | undefined
}

/**
 * Of plain keys, whose loads no lease holds apart: a load of a stored key begins. Fails where another of it runs in this
 * process, and no write has parted them. To be called at its end: the answer.
 */
export type Begins = (asking: Asking, key: string, life: Life, signal: AbortSignal | undefined) => () => void

export function oneAtATime(world: World, { fail, unarrived }: Oracle, hardMs: number): Begins {
  const running = new Map<string, Set<Run>>()
  return ({ node }, key, { jumps }, signal) => {
    const who = `${node} ${key}`
    const others = running.get(who) ?? new Set()
    const run = { from: world.tick(), since: world.time, jumps, signal }
    for (const other of others) {
      // What nobody waits for, or has run too long, has been given up; a clock that jumps may make it seem so.
      const stands = !other.signal?.aborted && world.time - other.since < hardMs - 2 && other.jumps === jumps
      if (stands && unarrived.isQuiet(node, key, other.from))
        fail(`${node} loads ${key} twice at a time (at ${other.from} and at ${run.from})`)
    }
    running.set(who, others.add(run))
    return () => void others.delete(run)
  }
}
