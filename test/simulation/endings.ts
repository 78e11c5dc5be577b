import type { Asking, Barrier, Birth, Life, Names, Value } from './facts.ts'
import type { History } from './history.ts'
import { parse, type Stored, tagsOf } from './stored.ts'

/** Where to look for a barrier: between two moments of history, and which barriers to skip. */
interface Span {
  readonly after: number
  readonly before: number
  /** Skips barriers that leave a stale copy. */
  readonly hard?: boolean
  /** Of a caller that joined the load: skips evictions by the store. */
  readonly joined?: boolean
  /** Skips the write of the value with this number. */
  readonly except?: number
  /** Skips barriers that this caller need not know of yet. */
  readonly asking?: Asking
}

/** Records what ended values (barriers), and which barriers a caller had to know of. */
export interface Endings {
  /** Records a barrier: the value of a key ends now. */
  add(key: string, barrier: { what: string; from: string; soft?: boolean; writes?: number | undefined }): void
  /** Returns the last barrier of a key in a span. */
  since(key: string, span: Span): Barrier | undefined
  /** Returns the barrier that ended the last birth of a value before the call began; undefined when a birth is still valid. */
  endOf(
    value: Value,
    id: number,
    asking: Asking,
    how: { readonly hard: boolean; readonly joined: boolean },
  ): Barrier | undefined
  /** Whether the versions a value was written under may have ended before: since its load began, or while they were remembered. */
  wasCut(value: Value, key: string, text: string | undefined): boolean
  /** Returns the barrier that ended a version of an entry since a moment in history. */
  cutSince(names: Names, tags: readonly string[], at: number): Barrier | undefined
}

/** Longest delay until the log of changes has a write, where nothing is lost. */
const PULLED_MS = 500
/** How long a node takes a version it has read for the current one. */
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
  /** Whether a caller must know of a barrier: its own node made it, or it is old enough. */
  const binds = ({ from, acknowledged, time }: Barrier, asking: Asking | undefined): boolean => {
    const life = asking && lives.get(asking.node)
    if (!asking || !life?.lateMs) return true
    if (from === asking.node) return acknowledged < asking.from
    // A near tier measures age by the wall clock: after the clock was set back, an entry is older than the tier measures.
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

  /** Returns the barrier that forbids a plain value: in the process that loaded it, a barrier since the load began. */
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
  /** Returns the barrier that ended the last birth of a value before `from`; undefined when a birth is still valid. */
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
  /** Whether the versions a value was written under may have ended before: since its load began, or while they were remembered. */
  const wasCut = ({ births, from: called, node }: Value, key: string, text: string | undefined): boolean => {
    const names = namesOf(key)
    const { atKey, atTags, late, time: born } = births.at(-1) as Birth
    if (late.length > 0 || (lives.get(node) as Life).jumps > 0) return true
    const from = Math.min(atKey, atTags)
    return [names.generation, ...tagsOf(parse(text)).map(names.tag)].some((each) =>
      barriers.get(each)?.some(({ at, time, from: by, acknowledged }) => {
        // A node forgets a version at once when it has ended it itself.
        if (by === node && acknowledged < called) return false
        return at > from || time > Math.min(born, world.time) - 2 * REMEMBERED_MS
      }),
    )
  }
  /** Returns the barrier that ended a version of an entry since a moment in history. */
  const cutSince: Endings['cutSince'] = (names, tags, at) =>
    [names.generation, ...tags.map(names.tag)].flatMap((each) => barriers.get(each) ?? []).find((each) => each.at > at)

  return { add, since, endOf, wasCut, cutSince }
}
