import type { Barrier, Birth, Life, Names, Value } from './facts.ts'
import type { Server } from './server.ts'
import { createUnarrived, type Unarrived } from './unarrived.ts'
import type { World } from './world.ts'

/** What the oracle is told of a simulation. */
export interface Setting {
  readonly world: World
  readonly server: () => Server
  readonly lives: ReadonlyMap<string, Life>
  readonly spaces: readonly Names[]
  /** How long a loader may run, in milliseconds. */
  readonly hardMs: number
  readonly plain: boolean
}

/** All that has happened, as data: what the parts of the oracle write down, and judge by. */
export interface History extends Setting {
  readonly unarrived: Unarrived
  /** How often what has been met and checked. */
  readonly counts: Record<
    'deletesFailed' | 'madeGood' | 'hidden' | 'kept' | 'owed' | 'pulled' | 'comebacks' | 'written' | 'rewritten',
    number
  >
  /** By number. */
  readonly values: Map<number, Value>
  /** The same of explicit writes, by their calls. */
  readonly written: Map<number, Value>
  readonly barriers: Map<string, Barrier[]>
  /** When each key last changed in more than its lease. */
  readonly changes: Map<string, number>
  /** What last changed each key, in more than its lease or what that has left behind, and the value it has put there. */
  readonly lastChanges: Map<string, { readonly verb: string; readonly id: number | undefined }>
  /** By node, verb and key, when the store last did it. */
  readonly done: Map<string, number>
  /** By node and key, when leases were granted. */
  readonly grants: Map<string, number[]>
  /** The node that holds a lease, by the name of the lease. */
  readonly holders: Map<string, string>
  /** By node and key, when its last load began. */
  readonly begun: Map<string, number>
  /** By key, when a load last left word that it ended without a value. */
  readonly words: Map<string, number>
  /** What was added to each counter. */
  readonly sums: Map<string, { at: number; by: number }[]>
  checks: number
  /** The first thing that must not happen, if any. */
  fault: string | undefined
  fail(what: string): void
}

/** What is known of a value before the store has it. */
export const UNSEEN: Omit<Value, 'key' | 'births' | 'loaded' | 'from' | 'node'> = {
  sentAt: Number.POSITIVE_INFINITY,
  storedAt: 0,
  storedMs: Number.NEGATIVE_INFINITY,
  endsMs: Number.POSITIVE_INFINITY,
  lost: false,
  kept: false,
  acknowledged: false,
  removed: false,
  leaseless: false,
  ended: Number.POSITIVE_INFINITY,
  writes: 0,
  taken: 0,
  unstored: undefined,
}

export function createHistory(setting: Setting): History {
  const history: History = {
    ...setting,
    unarrived: createUnarrived(setting.world, setting.lives),
    counts: {
      deletesFailed: 0,
      madeGood: 0,
      hidden: 0,
      kept: 0,
      owed: 0,
      pulled: 0,
      comebacks: 0,
      written: 0,
      rewritten: 0,
    },
    values: new Map(),
    written: new Map(),
    barriers: new Map(),
    changes: new Map(),
    lastChanges: new Map(),
    done: new Map(),
    grants: new Map(),
    holders: new Map(),
    begun: new Map(),
    words: new Map(),
    sums: new Map(),
    checks: 0,
    fault: undefined,
    fail(what) {
      history.fault ??= what
    },
  }
  return history
}

/**
 * The births of a value as a reader counts them: a plain value that another node has loaded is as old as its arrival in the
 * store.
 */
export function birthsFor(
  { births, loaded, storedAt, node, lost }: Value,
  reader: string,
  plain: boolean,
): readonly Birth[] {
  const stored = plain && loaded && (node !== reader || lost)
  return stored ? births.map((birth) => ({ ...birth, atKey: Math.max(birth.atKey, storedAt) })) : births
}
