import type { Barrier, Birth, Life, Names, Value } from './facts.ts'
import type { Server } from './server.ts'
import { createUnarrived, type Unarrived } from './unarrived.ts'
import type { World } from './world.ts'

/** What the oracle knows of a simulation before it begins. */
export interface Setting {
  readonly world: World
  readonly server: () => Server
  readonly lives: ReadonlyMap<string, Life>
  readonly spaces: readonly Names[]
  /** How long a loader may run, in milliseconds. */
  readonly hardMs: number
  readonly plain: boolean
}

/** All that has happened, as data. The parts of the oracle record it and judge by it. */
export interface History extends Setting {
  readonly unarrived: Unarrived
  /** How often each situation occurred and was checked. */
  readonly counts: Record<
    'deletesFailed' | 'madeGood' | 'hidden' | 'kept' | 'owed' | 'pulled' | 'comebacks' | 'written' | 'rewritten',
    number
  >
  /** Values by number. */
  readonly values: Map<number, Value>
  /** Values of explicit writes, by the call that writes them. */
  readonly written: Map<number, Value>
  readonly barriers: Map<string, Barrier[]>
  /** When each key last changed, changes of its lease alone left out. */
  readonly changes: Map<string, number>
  /** The verb that last changed each key, leases left out, and the number of the value it wrote. */
  readonly lastChanges: Map<string, { readonly verb: string; readonly id: number | undefined }>
  /** When the store last ran a verb, by node, verb and key. */
  readonly done: Map<string, number>
  /** When leases were granted, by node and key. */
  readonly grants: Map<string, number[]>
  /** The node that holds a lease, by the lease's id. */
  readonly holders: Map<string, string>
  /** When the last load began, by node and key. */
  readonly begun: Map<string, number>
  /** When a load last marked the key as ended without a value, by key. */
  readonly words: Map<string, number>
  /** The increments of each counter. */
  readonly sums: Map<string, { at: number; by: number }[]>
  checks: number
  /** The first violation, if any. */
  fault: string | undefined
  fail(what: string): void
}

/** The state of a value that the store has not taken yet. */
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
 * The births of a value as they count for a reader. A plain value that another node loaded counts from its arrival in the store.
 */
export function birthsFor(
  { births, loaded, storedAt, node, lost }: Value,
  reader: string,
  plain: boolean,
): readonly Birth[] {
  const stored = plain && loaded && (node !== reader || lost)
  return stored ? births.map((birth) => ({ ...birth, atKey: Math.max(birth.atKey, storedAt) })) : births
}
