import { FAILED, NONE } from '../../src/protocol/entry.ts'
import { type Asking, hasFailed, type Life, type Value } from './facts.ts'
import { type History, UNSEEN } from './history.ts'
import { parse } from './stored.ts'

/** One run of a loader. `began` is a moment of history, `time` is on the virtual clock. */
export interface LoadRun {
  readonly began: number
  readonly time: number
  /** The loader may have run without a lease. */
  readonly leaseless: boolean
}

/** Judges the beginning of each load, and records where values come from. */
export interface LoadJudge {
  /** Records which call writes the value with this number, by a `set` or an `add`. */
  writing(id: number, asking: Asking, key: string, tags: readonly string[], capturedAt?: number): void
  /** Call `ended` when the loader has ended. */
  loading(asking: Asking, key: string, excused: boolean): LoadRun & { ended(): void }
  loaded(
    id: number,
    load: LoadRun,
    asking: Asking,
    key: string,
    tags: readonly string[],
    late: readonly string[],
    unstored?: string,
  ): void
}

/** A lease is released within this time after its load, if the store replies. */
const RELEASED_MS = 600

export function createLoadJudge(history: History): LoadJudge {
  const { world, server, lives, hardMs, plain, values, written, grants, holders, begun, words, fail } = history
  return {
    writing(id, asking, key, tags, capturedAt) {
      // The value is born when the store takes it; only its captured versions are older.
      const atTags = capturedAt ?? Number.POSITIVE_INFINITY
      const value: Value = {
        key: asking.names.key(key),
        births: [{ atKey: Number.POSITIVE_INFINITY, atTags, tags, late: [], time: Number.POSITIVE_INFINITY }],
        loaded: false,
        from: asking.from,
        node: asking.node,
        ...UNSEEN,
        ended: 0,
      }
      values.set(id, value)
      written.set(asking.from, value)
    },
    loading(asking, key, excused) {
      const { node, names, from } = asking
      const at = world.tick()
      const to = names.key(key)
      begun.set(`${node} ${to}`, at)
      const failed = hasFailed(lives.get(node) as Life, asking)
      const own = (grants.get(`${node} ${to}`) ?? []).filter((each) => each > from)
      const granted = own.length > 0
      // A caller does not wait for a second load of others. The first one ended without a value, or took longer than a load may.
      const waited = (words.get(to) ?? 0) > from || world.time - asking.since > hardMs
      if (!granted && !excused && !failed && !waited)
        fail(`${node} began a load of ${to} without its lease, with the store at hand`)
      history.checks++
      const life = lives.get(node) as Life
      const lease = parse(server().peek(to))?.lease
      return {
        began: at,
        time: world.time,
        // The lease was granted, but the reply may have been lost.
        leaseless: !granted || failed,
        ended() {
          // With several leases it is unknown which one this load had.
          if (own.length !== 1 || excused || lease === undefined || lease === NONE || lease === FAILED || failed) return
          const after = life.failures
          world.after(RELEASED_MS, () => {
            const still = parse(server().peek(to))?.lease === lease && holders.get(lease) === node
            if (
              still &&
              life.failures === after &&
              !life.open &&
              life.isUp(RELEASED_MS) &&
              begun.get(`${node} ${to}`) === at
            )
              fail(`${node} keeps the lease of ${to}, though its load has ended`)
          })
        },
      }
    },
    loaded(id, { began, leaseless, time }, { names, node, from }, key, tags, late, unstored) {
      const birth = { atKey: began, atTags: began, tags, late, time }
      const value = values.get(id)
      if (value) {
        value.births.push(birth)
        return
      }
      values.set(id, {
        key: names.key(key),
        births: [birth],
        loaded: true,
        from,
        node,
        ...UNSEEN,
        leaseless: leaseless && !plain,
        unstored,
      })
    },
  }
}
