import { createEndings } from './endings.ts'
import { idOf } from './facts.ts'
import { createHistory, type Setting } from './history.ts'
import { type AnswerJudge, createAnswerJudge } from './judge-answers.ts'
import { createLoadJudge, type LoadJudge } from './judge-loads.ts'
import { createStoreJudge, type StoreJudge } from './judge-store.ts'
import { createStored } from './stored.ts'
import type { Unarrived } from './unarrived.ts'

// The oracle knows all that happens, in one order, and fails at the first thing that must not. Its parts:
//
//   facts.ts          the words: a value and its births, what ends it (a barrier), a call that asks, the life of a node
//   history.ts        what has happened, as data that the parts share
//   stored.ts         what the store holds now, as a reader would find it
//   endings.ts        what has ended a value, and whether a caller had to know of it
//   judge-store.ts    each step of the store: leases, fills, deletes, counters
//   judge-loads.ts    each load: by its lease, and where its value came from
//   judge-answers.ts  each answer: nothing that had ended, nothing missing that is certain to be there
//   unarrived.ts      deletes and writes that did not reach the store, and what their nodes owe for them
//
// simulate.ts tells it what its calls do; server.ts what the store does.

export interface Oracle extends StoreJudge, LoadJudge, AnswerJudge {
  /** The first thing that must not happen, if any. */
  readonly fault: string | undefined
  readonly checks: number
  fail(what: string): void
  readonly unarrived: Unarrived
  /** How often what has been met and checked. */
  readonly counts: Readonly<Record<string, number>>
  /** A value is sent to the store. */
  sent(id: number): void
  /** A plain value may reach the store at any later moment. */
  lost(value: unknown): void
}

export function createOracle(setting: Setting): Oracle {
  const history = createHistory(setting)
  const stored = createStored(history)
  const endings = createEndings(history, stored)
  const { world, values, unarrived, counts, fail } = history
  return {
    ...createStoreJudge(history, stored, endings),
    ...createLoadJudge(history),
    ...createAnswerJudge(history, stored, endings),
    get fault() {
      return history.fault
    },
    get checks() {
      return history.checks
    },
    fail,
    unarrived,
    counts,
    sent(id) {
      const value = values.get(id)
      if (value) value.sentAt = world.tick()
    },
    lost(value) {
      const known = values.get(idOf(value) ?? -1)
      if (known) known.lost = true
    },
  }
}
