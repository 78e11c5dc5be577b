import type { Asking, Barrier, Birth, Life, Names, Value } from './facts.ts'
import type { History } from './history.ts'
import { parse, type Stored, tagsOf } from './stored.ts'

/** Between which moments in history an end is looked for, and what does not count as one. */
interface Span {
  readonly after: number
  readonly before: number
  /** What leaves a stale copy does not count. */
  readonly hard?: boolean
  /** For a caller that joined the load: what the store forgets does not count. */
  readonly joined?: boolean
  /** The write of this value does not count. */
  readonly except?: number
  /** What this caller was not to know of yet does not count. */
  readonly asking?: Asking
}

/** What has ended values, and which of them a caller had to know of. */
export interface Endings {
  /** Something ends now what is at a key. */
  add(key: string, barrier: { what: string; from: string; soft?: boolean; writes?: number | undefined }): void
  /** The last barrier of a key in a span. */
  since(key: string, span: Span): Barrier | undefined
  /** What ended the last birth of a value before the call began; undefined when one is still good. */
  endOf(
    value: Value,
    id: number,
    asking: Asking,
    how: { readonly hard: boolean; readonly joined: boolean },
  ): Barrier | undefined
  /** Whether what a value was written under may have ended before: since its load began, or while it was remembered. */
  wasCut(value: Value, key: string, text: string | undefined): boolean
  /** What ended the versions of an entry since a moment in history. */
  cutSince(names: Names, tags: readonly string[], at: number): Barrier | undefined
}

/** How long after a write the log of changes has it, where nothing is lost. */
const PULLED_MS = 500
/** A version seen is taken for the current one for this long. */
const REMEMBERED_MS = 5000

const NOTHING: Barrier = {
  at: 0,
  time: 0,
  what: 'nothing',
  writes: undefined,
  soft: false,
  from: '',
  acknowledged: 0,
}

export function createEndings(history: History, { namesOf }: Stored): Endings {
  const { world, lives, plain, barriers, counts } = history
  /** Whether a caller must know of what has ended: its own node's doing, or what was long enough ago. */
  const binds = ({ from, acknowledged, time }: Barrier, asking: Asking | undefined): boolean => {
    const life = asking && lives.get(asking.node)
    if (!asking || !life?.lateMs) return true
    if (from === asking.node) return acknowledged < asking.from
    // A near tier measures age by the wall clock: one that was set back makes it older than it knows.
    if (life.jumps !== 0) return false
    if (time < asking.since - life.lateMs) return true
    return acknowledged < Number.POSITIVE_INFINITY && time < asking.pulledMs - PULLED_MS
  }
  const since: Endings['since'] = (key, { after, before, hard = false, joined = false, except, asking }) => {
    const list = barriers.get(key)
    if (!list) return undefined
    for (let i = list.length - 1; i >= 0; i--) {
      const barrier = list[i] as Barrier
      if (barrier.at <= after) return undefined
      const own = (except !== undefined && barrier.writes === except) || (joined && barrier.what === 'evict')
      if (barrier.at < before && !own && !(hard && barrier.soft) && binds(barrier, asking)) return barrier
    }
    return undefined
  }
  const add: Endings['add'] = (key, { what, from, soft = false, writes }) => {
    const list = barriers.get(key)
    const acknowledged = Number.POSITIVE_INFINITY
    const made = { at: world.tick(), time: world.time, what, writes, soft, from, acknowledged }
    if (list) list.push(made)
    else barriers.set(key, [made])
  }

  /** What must not have been in the way of a plain value: in its own process what came after its load's beginning. */
  const endOfPlain = (value: Value, id: number, asking: Asking, joined: boolean): Barrier | undefined => {
    const { node, key, births, lost, storedAt } = value
    const began = births.at(-1)?.atKey ?? 0
    counts.comebacks++
    const own = barriers.get(key)?.findLast(({ at, from, acknowledged, writes, what }) => {
      const passes = what === 'evict' || from !== node || writes === id
      return !passes && at > began && acknowledged < asking.from
    })
    if (own && node === asking.node && !lost) return own
    if (joined) return undefined
    return since(key, { after: Math.max(storedAt, began), before: asking.from, except: id, asking })
  }
  /** What ended the last birth of a value before `from`; undefined when one is still good. */
  const endOf: Endings['endOf'] = (value, id, asking, { hard, joined }) => {
    let end: Barrier | undefined
    if (plain && value.loaded) return endOfPlain(value, id, asking, joined)
    const { names, from } = asking
    const how = { before: from, hard, joined, asking }
    for (const { atKey, atTags, tags, late } of value.births) {
      end = since(value.key, { ...how, after: atKey, except: id }) ?? since(names.generation, { ...how, after: atTags })
      for (const tag of joined ? tags : [...tags, ...late]) end ??= since(names.tag(tag), { ...how, after: atTags })
      if (!end) return undefined
    }
    return end ?? NOTHING
  }
  /** Whether what a value was written under may have ended before: since its load began, or while it was remembered. */
  const wasCut = ({ births, from: called, node }: Value, key: string, text: string | undefined): boolean => {
    const names = namesOf(key)
    const { atKey, atTags, late, time: born } = births.at(-1) as Birth
    if (late.length > 0 || (lives.get(node) as Life).jumps > 0) return true
    const from = Math.min(atKey, atTags)
    return [names.generation, ...tagsOf(parse(text)).map(names.tag)].some((each) =>
      barriers.get(each)?.some(({ at, time, from: by, acknowledged }) => {
        // A node forgets at once what it has ended itself.
        if (by === node && acknowledged < called) return false
        return at > from || time > Math.min(born, world.time) - 2 * REMEMBERED_MS
      }),
    )
  }
  /** What ended the versions of an entry since a moment in history. */
  const cutSince: Endings['cutSince'] = (names, tags, at) =>
    [names.generation, ...tags.map(names.tag)].flatMap((each) => barriers.get(each) ?? []).find((each) => each.at > at)

  return { add, since, endOf, wasCut, cutSince }
}
