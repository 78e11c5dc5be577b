import { createEndings } from './endings.ts'
import { idOf } from './facts.ts'
import { createHistory, type Setting } from './history.ts'
import { type AnswerJudge, createAnswerJudge } from './judge-answers.ts'
import { createLoadJudge, type LoadJudge } from './judge-loads.ts'
import { createStoreJudge, type StoreJudge } from './judge-store.ts'
import { createStored } from './stored.ts'
import type { Unarrived } from './unarrived.ts'

// The oracle sees every event in one order, and fails at the first violation. Its parts:
//
//   facts.ts          the terms: a value and its births, a barrier that ends it, a call under way, the state of a node
//   history.ts        what has happened, as data that the parts share
//   stored.ts         what the store holds now, as a reader would find it
//   endings.ts        which barrier ended a value, and whether a caller had to know of it
//   judge-store.ts    each step of the store: leases, fills, deletes, counters
//   judge-loads.ts    each load: whether it had its lease, and where its value came from
//   judge-answers.ts  each result of a call: no value that had ended, no missing value that is certain to be stored
//   unarrived.ts      deletes and writes that did not reach the store, and what their nodes must serve or hide
//
// simulate.ts reports the calls to it, server.ts the steps of the store.

export interface Oracle extends StoreJudge, LoadJudge, AnswerJudge {
  /** The first violation, if any. */
  readonly fault: string | undefined
  readonly checks: number
  fail(what: string): void
  readonly unarrived: Unarrived
  /** How often each situation occurred and was checked. */
  readonly counts: Readonly<Record<string, number>>
  /** Records that a value is sent to the store. */
  sent(id: number): void
  /** Records that a plain value may reach the store at any later moment. */
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
