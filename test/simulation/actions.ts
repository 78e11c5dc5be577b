import { type Calls, createCalls } from './calls.ts'
import { createLoaders, type Loaders } from './loaders.ts'
import type { Node } from './nodes.ts'
import { readActions } from './read-actions.ts'
import { KEYS, type Space, type Stage } from './stage.ts'
import { writeActions } from './write-actions.ts'

/** Makes one call of one kind. */
export type Act = (node: Node, space: Space, key: string) => void

/** A kind of call, and how often it is made. */
export interface Action {
  readonly weight: number
  /** Left out for plain values. */
  readonly ofEntries?: boolean
  readonly act: Act
}

export interface Actions extends Calls, Loaders {
  /** Makes a random call on a random node. */
  act(): void
}

/** The order of actions is part of every seed. */
export function createActions(stage: Stage): Actions {
  const { nodes, spaces, chances, scenario } = stage
  const { plan } = chances
  const calls = createCalls(stage)
  const loaders = createLoaders(stage, calls)
  const all = [...readActions(stage, calls, loaders), ...writeActions(stage, calls)]
  const acts = all
    .filter(({ ofEntries }) => !(scenario.plain && ofEntries))
    .flatMap(({ weight, act }) => Array.from({ length: weight }, () => act))
  return {
    ...calls,
    ...loaders,
    act() {
      const node = plan.pick(nodes)
      const space = (plan.hit(0.85) ? spaces[0] : spaces.at(-1)) as Space
      const key = plan.hit(0.6) ? 'a' : plan.pick(KEYS)
      acts[plan.below(acts.length)]?.(node, space, key)
    },
  }
}
