import { FAILED, isEntry, NO_VALUE, NONE } from '../../src/protocol/entry.ts'
import type { Endings } from './endings.ts'
import type { Birth, Value } from './facts.ts'
import type { History } from './history.ts'
import type { Effect, Late } from './server.ts'
import { parse, type Stored } from './stored.ts'
import { CLOCKS_DIFFER_MS } from './unarrived.ts'

/** Judges each step that the store runs, and records what it changes. */
export interface StoreJudge {
  /** To be called after the store ran one step on one key. */
  effect(effect: Effect): void
  /** Fails where a value is still stored that a node failed to delete and has had time to delete again. */
  checkMadeGood(isAlive: (node: string) => boolean): void
}

const withoutLease = (text: string | undefined): string | undefined =>
  text && isEntry(text) ? text.slice(0, 73) + text.slice(104) : text

export function createStoreJudge(history: History, stored: Stored, endings: Endings): StoreJudge {
  const { world, server, plain, unarrived, values, barriers, counts, fail } = history
  const { changes, lastChanges, done, grants, holders, words, sums } = history
  const { idInText, isLive, valid, namesOf } = stored
  const { add, since, wasCut } = endings

  /** The retry of a failed delete must not remove a value that was written after the failure. */
  const madeGood = (node: string, key: string, before: string | undefined, { sentAt }: Late): void => {
    const failedDelete = unarrived.lastFailed(node, key)
    if (!failedDelete) {
      fail(`${node} deletes ${key}, which nobody has asked for`)
      return
    }
    counts.madeGood++
    const entry = plain ? undefined : parse(before)
    const id = idInText(before)
    const value = values.get(id ?? -1)
    if (entry && entry.mark !== NO_VALUE && entry.writtenMs >= failedDelete.failedMs + CLOCKS_DIFFER_MS)
      fail(`${node} removed #${id} of ${key} for a delete that had failed long before (call ${failedDelete.from})`)
    if (!value || value.loaded || value.node !== node || value.from < failedDelete.failedAt || sentAt < value.sentAt)
      return
    if (value.acknowledged) fail(`${node} removed #${id} of ${key}, which it has written since its delete failed`)
    value.removed = true
  }
  const checkPlainFill = ({ key, node, births, lost }: Value, id: number): void => {
    const began = births.at(-1)?.atKey ?? 0
    const own = barriers.get(key)?.find(({ at, from, acknowledged, writes, what }) => {
      return what !== 'evict' && from === node && writes !== id && at > began && acknowledged < Number.POSITIVE_INFINITY
    })
    if (own && !lost) fail(`${node} has put #${id} into ${key}, whose load began before its ${own.what}`)
  }
  const checkMadeGood: StoreJudge['checkMadeGood'] = (isAlive) => {
    for (const [node, key, { from, sinceMs }] of unarrived.failedDeletes()) {
      counts.deletesFailed++
      const id = idInText(server().peek(key))
      const value = values.get(id ?? -1)
      if (!value || !isAlive(node) || value.storedMs >= sinceMs + CLOCKS_DIFFER_MS) continue
      if (value.storedAt < from && value.births.every(({ atKey }) => atKey < from))
        fail(`#${id} of ${key} is there, though ${node} was to make its delete good (call ${from})`)
    }
  }

  const leased = ({ key, args, before, after, reply, from }: Effect, at: number): void => {
    if (reply !== 1 && !(Array.isArray(reply) && reply[0] === 'held')) return
    grants.set(`${from} ${key}`, [...(grants.get(`${from} ${key}`) ?? []), at])
    holders.set(String(args[2]), from)
    const held = parse(before)
    const graced = held && held.mark !== NO_VALUE && held.freshUntilMs !== held.expiresMs
    if (args[4] === 0 && held && held.id !== args[1] && isLive(before, key))
      fail(`a lease of ${key} was granted, where a fresh value is`)
    if (graced && held.expiresMs > world.time && parse(after)?.mark === NO_VALUE)
      fail(`a lease of ${key} has cost its stale copy`)
    if ((graced || args[4] === 0) && server().leftMs(key) < Number(args[3]) - 1)
      fail(`a lease of ${key} ends with its key, before its time`)
    const isFree = !held || [NONE, FAILED, args[2], args[5] ?? ''].includes(held.lease)
    if (!isFree && Number(before?.slice(91, 104)) > world.time)
      fail(`a lease of ${key} was granted while another stood`)
  }

  /** Records that the store took a value, for the first time or again. */
  const noteStored = (value: Value, id: number, verb: string, key: string, at: number): void => {
    // A rewrite stores the same value again, which `take` may return only once.
    if (verb === 'rewrite') counts.rewritten++
    else value.writes++
    value.storedAt = at
    value.storedMs = world.time
    value.endsMs = world.time + server().leftMs(key)
    if (value.unstored) fail(`the store took #${id} of ${key}, ${value.unstored}`)
    if (value.loaded && plain) {
      checkPlainFill(value, id)
    } else if (verb === 'fill') {
      const ends = value.births.map(({ atKey }) => since(key, { after: atKey, before: at, except: id }))
      if (ends.every((end) => end)) fail(`the store took #${id} for ${key}, whose load began before ${ends[0]?.what}`)
    } else {
      const own = value.births[0] as Birth
      value.births[0] = { ...own, atKey: at, atTags: Math.min(own.atTags, at) }
    }
  }
  const wrote = (verb: string, { key, args, before, after, reply, from }: Effect, at: number): void => {
    if (verb !== 'set' && !reply) return
    if (verb === 'fill' && parse(after)?.mark === NO_VALUE) words.set(key, at)
    if (verb === 'add' && !plain && parse(before)?.id !== args[1] && isLive(before, key))
      fail(`${from} added to ${key}, where something was`)
    const id = idInText(after)
    const value = id === undefined ? undefined : values.get(id)
    if (value && id !== undefined) noteStored(value, id, verb, key, at)
    if (value && !plain && !valid(after, namesOf(key)) && !wasCut(value, key, after))
      fail(`#${id} of ${key} was written so that nobody can read it`)
    add(key, { what: verb, from, writes: id })
  }

  /** Records which keys changed, and by which verb. */
  const noteChange = (verb: string, { key, before, after, reply }: Effect, at: number): void => {
    const isOther = withoutLease(before) !== withoutLease(after)
    if (isOther) changes.set(key, at)
    // After a touch the value may end earlier.
    if (verb === 'touch' && (isOther || reply === 1)) lastChanges.set(key, { verb, id: undefined })
    else if (isOther && !plain && verb !== 'lease' && verb !== 'release')
      lastChanges.set(key, { verb, id: idInText(after) })
  }

  return {
    checkMadeGood,
    effect(effect) {
      const { key, name, args, before, after, reply, from, late } = effect
      const at = world.tick()
      const verb = /^(entry|plain)\./.test(name) ? String(args[0]) : name
      if (late && after === undefined) madeGood(from, key, before, late)
      done.set(`${from} ${verb} ${key}`, at)
      noteChange(verb, effect, at)
      const ends = (soft = false): void => add(key, { what: verb, from, soft })
      switch (verb) {
        case 'evict':
          // An eviction is no violation. An evicted version ends the entries that have it.
          if (key.startsWith(':')) ends()
          break
        case 'delete':
        case 'bury':
        case 'take':
          if (verb === 'delete' || before !== after) ends()
          break
        case 'expire':
          ends(reply === 1)
          break
        case 'release':
          if (reply === 1 && parse(before)?.lease !== args[2])
            fail(`${from} gave back a lease of ${key} that another holds`)
          break
        case 'fail':
        case 'gone':
          if (reply !== 1) break
          if (parse(before)?.lease !== args[2]) fail(`${from} left word at ${key} of a lease that another holds`)
          words.set(key, at)
          // The source has no value any more: its removal is no violation.
          if (verb === 'gone') ends()
          break
        case 'version.soften':
          ends(true)
          break
        case 'lease':
          leased(effect, at)
          break
        case 'set':
        case 'add':
        case 'fill':
        case 'rewrite':
          wrote(verb, effect, at)
          break
        case 'increment':
          if (before !== undefined || after !== undefined)
            sums.set(key, [...(sums.get(key) ?? []), { at, by: Number(args[4]) }])
          ends()
      }
      history.checks++
    },
  }
}
