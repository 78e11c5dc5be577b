import type { Endings } from './endings.ts'
import { type Asking, hasFailed, type Life, type Value } from './facts.ts'
import { birthsFor, type History } from './history.ts'
import { type Stored, tagsOf } from './stored.ts'

/** Judges the results of calls. */
export interface AnswerJudge {
  /** Judges the result of a read. `exact`: it must come from the store; `maybeStale`: a stale copy is allowed. */
  answered(
    asking: Asking,
    key: string,
    id: number | undefined,
    how: {
      readonly exact: boolean
      readonly maybeStale: boolean
      readonly joins?: boolean
      readonly taken?: boolean
      /** The call looks into the near tier first. */
      readonly near?: boolean
      /** Nothing was written for longer than any tier keeps an entry. */
      readonly settled?: boolean
    },
  ): void
  /** Records a write that failed as an event, and may not have reached the store. */
  dropped(
    asking: Asking,
    key: string,
    id: number,
    tags: readonly string[],
    capturedAt: number | undefined,
    lifeMs: number,
  ): void
  /** Records an acknowledged write. */
  acknowledged(asking: Asking, key: string, verbs: readonly string[]): void
  counted(asking: Asking, key: string, sum: number): void
}

export function createAnswerJudge(history: History, stored: Stored, endings: Endings): AnswerJudge {
  const { world, server, lives, plain, unarrived, values, written, barriers, lastChanges, done, sums } = history
  const { counts, fail } = history
  const { truth, isStable, alive, idIn } = stored

  /** An acknowledged write is stored, unless a barrier has ended it since its call began. */
  const checkWritten = (asking: Asking, value: Value): void => {
    const { key, births, endsMs } = value
    const { names, node, from } = asking
    // Includes the tags from before a load that found the value not modified: the load's own tags may never have been stored.
    const tags = births.flatMap((birth) => birth.tags)
    const { id } = lastChanges.get(key) ?? {}
    if (id === undefined || values.get(id) !== value || world.time > endsMs - 1) return
    counts.written++
    if (endings.cutSince(names, tags, from)) return
    const entry = alive(key, names)
    if (idIn(entry) !== id) fail(`${node} was told that #${id} was written to ${key}, and nobody can read it`)
    else checkTags(asking, key)
  }
  /** A tag version lives longer than each entry that has the tag. */
  const checkTags = ({ names, node }: Asking, key: string): void => {
    for (const tag of tagsOf(alive(key, names))) {
      if (server().leftMs(names.tag(tag)) < server().leftMs(key))
        fail(`${node} has written ${key}, which outlives its tag ${tag}`)
    }
  }

  return {
    dropped(asking, key, id, tags, capturedAt, lifeMs) {
      const to = asking.names.key(key)
      const value = values.get(id) as Value
      counts.kept++
      value.kept = true
      const at = world.tick()
      value.births.push({ atKey: at, atTags: capturedAt ?? at, tags, late: [], time: world.time })
      const stored = (done.get(`${asking.node} set ${to}`) ?? 0) > asking.from
      // Captured versions may have ended since; then the value is not kept.
      if (!stored && capturedAt === undefined) unarrived.kept(asking, to, id, lifeMs)
    },
    answered(asking, key, id, { exact, maybeStale, joins = false, taken = false, near = false, settled = false }) {
      history.checks++
      const { node, names, from, jumps } = asking
      const life = lives.get(node) as Life
      const to = names.key(key)
      const sure = truth(to, names, life.now(), life.jumps > 0)
      const owed = near ? unarrived.owed(asking, to) : undefined
      if (owed !== undefined) {
        counts.owed++
        if (owed !== id)
          return fail(
            `${node} got ${id === undefined ? 'nothing' : `#${id}`} for ${to}, which it has written as #${owed}`,
          )
      }
      const certain =
        exact &&
        (life.lateMs === 0 || settled) &&
        !hasFailed(life, asking) &&
        life.jumps === jumps &&
        sure !== undefined &&
        isStable(to, names, from)
      if (certain && id !== sure)
        return fail(
          `${node} got ${id === undefined ? 'nothing' : `#${id}`} for ${to}, where #${sure} was all the while`,
        )
      if (id === undefined) return
      if (asking.pulledMs > 0) counts.pulled++
      const value = values.get(id)
      if (!value) return fail(`${node} got #${id} for ${to}, which nobody made`)
      if (value.key !== to) return fail(`${node} got #${id} of ${value.key} for ${to}`)
      if (taken && ++value.taken > value.writes) return fail(`#${id} of ${to} was taken twice`)
      if (value.node !== node ? value.writes === 0 : !(value.writes > 0 || value.kept || value.loaded))
        return fail(`${node} got #${id} for ${to}, which the store never had`)
      const joined = joins && value.node === node && value.ended > from
      const failedDelete = unarrived.hiddenBy(asking, to, birthsFor(value, node, plain), value.storedMs)
      if (failedDelete)
        return fail(`${node} got #${id} for ${to}, after a delete that failed (call ${failedDelete.from})`)
      if (joins && value.node === node) value.ended = Math.min(value.ended, world.tick())
      // A value that was loaded without a lease is served from the near tier while the store is down.
      counts.hidden += Number(!!unarrived.lastFailed(node, to))
      const unheard = value.leaseless && asking.heardAt < (value.births[0]?.atKey ?? 0)
      if (unheard && life.lateMs > 0 && value.node === node) return
      const end = endings.endOf(value, id, asking, { hard: maybeStale, joined })
      if (end) fail(`${node} got #${id} for ${to}, of before ${end.what} (${end.at}); the call began at ${from}`)
    },
    acknowledged(asking, key, verbs) {
      history.checks++
      const { node, from } = asking
      if (!plain && verbs.includes('touch') && lastChanges.get(key)?.verb === 'touch') checkTags(asking, key)
      const value = written.get(from)
      if (value?.key === key) {
        value.acknowledged = true
        if (value.removed) fail(`${node} was told that ${key} was written, and has removed it for an earlier delete`)
        if (!plain) checkWritten(asking, value)
      }
      for (const each of barriers.get(key) ?? []) {
        if (each.from === node && each.at > from) each.acknowledged = Math.min(each.acknowledged, world.tick())
      }
      if (!verbs.some((verb) => (done.get(`${node} ${verb} ${key}`) ?? 0) > from))
        fail(`${node} was told that ${verbs[0]} of ${key} was done, which it was not`)
    },
    counted({ node, names, from }, key, sum) {
      history.checks++
      const to = names.key(key)
      let begun = 0
      for (const list of [barriers.get(to) ?? [], barriers.get(names.generation) ?? []]) {
        for (const { at, what } of list) if (at < from && what !== 'increment') begun = Math.max(begun, at)
      }
      let most = 0
      for (const { at, by } of sums.get(to) ?? []) if (at > begun) most += by
      if (sum > most) fail(`${node} counted ${sum} at ${to}, and at most ${most} were added since it was last emptied`)
    },
  }
}
