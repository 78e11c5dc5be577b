import type { Boot } from './build.ts'
import { type Chance, createChance } from './chance.ts'
import type { Life, Names } from './facts.ts'
import { type Bus, createBus } from './network.ts'
import type { Node } from './nodes.ts'
import { createOracle, type Oracle } from './oracle.ts'
import { type Chances, type Scenario, scenarioOf } from './scenario.ts'
import { createServer, type Effect, type Server } from './server.ts'
import { namesOf, PLAIN_NAMES, short } from './wording.ts'
import { createWorld, type World } from './world.ts'

/** A namespace of the caches, as each node has it. */
export interface Space {
  readonly names: Names
  of(node: Node): Node['cache']
}

/** A call that has not settled. */
export interface Open {
  readonly what: string
  readonly node: Node
}

/** Everything that the parts of one simulation share. */
export interface Stage {
  readonly boot: Boot
  readonly scenario: Scenario
  readonly chances: Chances
  /** Decides what happens to messages. */
  readonly network: Chance
  readonly world: World
  readonly server: Server
  readonly bus: Bus
  readonly oracle: Oracle
  readonly lives: Map<string, Life>
  readonly spaces: readonly Space[]
  /** The live node of each place. */
  readonly nodes: Node[]
  /** Number of nodes started so far. */
  started: number
  readonly open: Set<Open>
  /** Number of calls made so far. */
  calls: number
  /** Returns the number of the next value. */
  nextId(): number
  /** Adds a line to the trace, if tracing is on. */
  tell(who: string, what: () => string): void
  readonly trace: readonly string[]
  /** The beginning of the simulation, on the virtual clock. */
  readonly begin: number
}

export const KEYS: readonly string[] = ['a', 'b', 'c']
export const TAGS: readonly string[] = ['t', 'u', 'v']
export const COUNTER = 'n'
/** Longer than any lease, load, lifetime and message. */
export const LONG_MS = 40_000

const told = ({ from, name, args, key, after, reply }: Effect): string =>
  `       ${from || 'the server'}: ${name} ${args[0] ?? ''} ${key} → ${short(after)}${reply === null ? '' : ` (${reply})`}`

export function createStage(seed: number, boot: Boot, tracing: boolean): Stage {
  const plan = createChance(seed)
  const network = createChance(seed ^ 0x5bd1e995)
  const world = createWorld(seed ^ 0x2c1b3c6d)
  const begin = world.time
  const { scenario, chances } = scenarioOf(seed, plan)
  const { plain, hardMs } = scenario
  const lives = new Map<string, Life>()
  const trace: string[] = []
  const bus = createBus(world, network)
  const names = plain ? [PLAIN_NAMES] : [namesOf('sim'), namesOf('sim.sub')]
  const oracle = createOracle({ world, server: () => server, lives, spaces: names, hardMs, plain })
  const tell: Stage['tell'] = (who, what) => {
    // Events after a fault do not explain it.
    if (!tracing || oracle.fault) return
    trace.push(`${(world.time - begin).toFixed(2).padStart(10)} ${who.padEnd(4)} ${what()}`)
    if (trace.length > 4000) trace.splice(0, 2000)
  }
  const server = createServer(
    world,
    (effect) => {
      tell('', () => told(effect))
      oracle.effect(effect)
    },
    bus.publish,
  )
  const spaces = names.map(
    (names, i): Space => ({
      names,
      of: ({ cache }) => (i === 0 ? cache : cache.namespace('sub')),
    }),
  )
  let ids = 0
  const parts = { boot, scenario, chances, network, world, server, bus, oracle, lives, spaces }
  const nextId = (): number => ++ids
  return { ...parts, nodes: [], started: 0, open: new Set(), calls: 0, nextId, tell, trace, begin }
}
