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
 * Records that a load of a plain key begins; no lease keeps such loads apart. Fails where another load of the key runs in the
 * same process and no write came between them. Call the returned function when the load has ended.
 */
export type Begins = (asking: Asking, key: string, life: Life, signal: AbortSignal | undefined) => () => void

export function oneAtATime(world: World, { fail, unarrived }: Oracle, hardMs: number): Begins {
  const running = new Map<string, Set<Run>>()
  return ({ node }, key, { jumps }, signal) => {
    const who = `${node} ${key}`
    const others = running.get(who) ?? new Set()
    const run = { from: world.tick(), since: world.time, jumps, signal }
    for (const other of others) {
      // The cache gives up a load that nobody waits for or that took too long. A clock that jumps may make a load seem too long.
      const stands = !other.signal?.aborted && world.time - other.since < hardMs - 2 && other.jumps === jumps
      if (stands && unarrived.isQuiet(node, key, other.from))
        fail(`${node} loads ${key} twice at a time (at ${other.from} and at ${run.from})`)
    }
    running.set(who, others.add(run))
    return () => void others.delete(run)
  }
}
