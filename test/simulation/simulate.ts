import { createActions } from './actions.ts'
import type { Boot } from './build.ts'
import { startNode } from './nodes.ts'
import { playPeace } from './peace.ts'
import { createStage } from './stage.ts'
import { makeTrouble } from './trouble.ts'

// One seed is one history: random calls on some nodes over a bad network, then peace. Its parts:
//
//   scenario.ts       what the seed decides for the whole history, such as the near tier and how bad the network is
//   stage.ts          what the parts share: the world, the server, the oracle, the nodes, the trace
//   nodes.ts          one process with a cache, started anew where it has died
//   calls.ts          makes a call, and has its result judged; options that calls have in common
//   loaders.ts        what loaders do, and what their callers may get
//   actions.ts        draws the next call: read-actions.ts and write-actions.ts say which there are, and how often
//   trouble.ts        what happens to nodes: cut off, stopped, killed, a clock that jumps
//   peace.ts          what must be true once the network is mended
//   wording.ts        keys of namespaces, and texts for the trace
//
// Below them: world.ts (one virtual clock), network.ts, server.ts (models), build.ts (the package itself, bundled as a
// function of clock, timers and randomness). oracle.ts judges; its map says how.

export interface Outcome {
  readonly seed: number
  /** The first violation; undefined: none. */
  readonly fault: string | undefined
  /** The last lines of the trace, if tracing was on. */
  readonly trace: readonly string[]
  readonly calls: number
  readonly events: number
  readonly checks: number
  /** Virtual milliseconds. */
  readonly spanMs: number
  /** How often each situation occurred and was checked. */
  readonly counts: Readonly<Record<string, number>>
}

export interface SimulateOptions {
  /** Records a trace. @default false */
  readonly tracing?: boolean
  /** Most calls before the network is mended. @default 160 */
  readonly most?: number
  /** Lines of the trace that are kept. @default 50 */
  readonly keep?: number
}

/** Plays one seed, and resolves to its outcome. */
export async function simulate(
  seed: number,
  boot: Boot,
  { tracing = false, most = 160, keep = 50 }: SimulateOptions = {},
): Promise<Outcome> {
  const stage = createStage(seed, boot, tracing)
  const { world, oracle, chances, scenario } = stage
  for (let place = 0; place < scenario.count; place++) startNode(stage, place)
  const actions = createActions(stage)
  const { plan } = chances
  while (stage.calls < most && !oracle.fault) {
    const burst = plan.hit(0.3) ? 1 + plan.below(5) : 1
    for (let i = 0; i < burst; i++) actions.act()
    if (plan.hit(0.02 * scenario.harsh)) makeTrouble(stage)
    const gap = plan.hit(0.03) ? plan.between(500, 4000) : plan.hit(0.4) ? 0.01 : plan.about(12)
    await world.run(world.time + gap)
  }
  await playPeace(stage, actions)
  const { events, pulls, plain } = scenario
  return {
    seed,
    fault: oracle.fault,
    trace: stage.trace.slice(-keep),
    calls: stage.calls,
    events: world.events,
    checks: oracle.checks,
    counts: { ...oracle.counts, withEvents: Number(events), withPulls: Number(pulls), withPlain: Number(plain) },
    spanMs: world.time - stage.begin,
  }
}
