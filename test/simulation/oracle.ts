import { type Entry, FAILED, isEntry, NO_VALUE, NONE, parseEntry } from '../../src/protocol/entry.ts'
import type { Effect, Late, Server } from './server.ts'
import { CLOCKS_DIFFER_MS, createUnarrived, type Unarrived } from './unarrived.ts'
import type { World } from './world.ts'

/** Where a namespace keeps what. */
export interface Names {
  readonly namespace: string
  readonly generation: string
  key(key: string): string
  tag(tag: string): string
}

/** One way a value has come to be. What ends a value ends each birth that came before. */
export interface Birth {
  /** For what is done to its key. */
  readonly atKey: number
  /** For what is done to its tags and its namespace. */
  readonly atTags: number
  readonly tags: readonly string[]
  /** Tags its loader named at its end: who joined the load was not to know. */
  readonly late: readonly string[]
  /** The virtual instant of its load's beginning. */
  readonly time: number
}

interface Value {
  readonly key: string
  readonly births: Birth[]
  /** By a loader. */
  readonly loaded: boolean
  /** When the call began that made it. */
  readonly from: number
  readonly node: string
  /** A load that may have run without a lease, since the store did not answer. */
  leaseless: boolean
  /** When a caller of its load was answered: before, others may have joined it. */
  ended: number
  /** When the store last took it: in history, and on the virtual clock. */
  storedAt: number
  storedMs: number
  /** When its life ends in the store. */
  endsMs: number
  sentAt: number
  /** A load whose plain value may reach the store at any later moment. */
  lost: boolean
  /** Its node alone gives it out, since the store did not take it. */
  kept: boolean
  acknowledged: boolean
  /** It was removed though it was written after the delete that was made good. */
  removed: boolean
  writes: number
  taken: number
  /** Why the store may not have it. */
  readonly unstored: string | undefined
}

/** Something that ended what was there before. */
interface Barrier {
  readonly at: number
  /** On the virtual clock. */
  readonly time: number
  readonly what: string
  /** The value that was written by it. */
  readonly writes: number | undefined
  /** What was there may still be served stale. */
  readonly soft: boolean
  readonly from: string
  /** When its node was told that it was done. */
  acknowledged: number
}

/** A call of one node that is under way. */
export interface Asking {
  readonly node: string
  readonly names: Names
  /** Its place in history. */
  readonly from: number
  /** When it began, on the virtual clock. */
  readonly since: number
  /** The node's count of failed store calls then. */
  readonly failures: number
  /** When the store had last answered one of its calls. */
  readonly heardAt: number
  /** The node's count of clock jumps then. */
  readonly jumps: number
  /** By the node's clock. */
  readonly clockMs: number
  /** Since when on the virtual clock the log of changes may have changed unread; 0: it is not certain to tell everything. */
  readonly pulledMs: number
}

/** What a node has lived through. */
export interface Life {
  failures: number
  /** Its breaker asks no more. */
  open: boolean
  /** How long it may not hear of what another node has ended, in milliseconds; 0: it asks the store each time. */
  readonly lateMs: number
  /** When the store last answered a call of this node. */
  heardAt: number
  jumps: number
  /** What its near tier bounds staleness by, in milliseconds; 0: it has none. */
  readonly maxAgeMs: number
  /** Nothing but its own doing drops what its near tier keeps. */
  readonly feedless: boolean
  pulledMs: number
  now(): number
  /** Whether it lives, and has not stood still for this long. */
  isUp(ms: number): boolean
}

export interface Oracle {
  /** The first thing that must not happen, if any. */
  readonly fault: string | undefined
  readonly checks: number
  fail(what: string): void
  effect(effect: Effect): void
  /** Who is going to write the value with this number, by a `set` or an `add`. */
  writing(id: number, asking: Asking, key: string, tags: readonly string[], capturedAt?: number): void
  /** `ended` is called when the loader has. */
  loading(
    asking: Asking,
    key: string,
    excused: boolean,
  ): { readonly began: number; readonly time: number; readonly leaseless: boolean; ended(): void }
  loaded(
    id: number,
    load: { readonly began: number; readonly time: number; readonly leaseless: boolean },
    asking: Asking,
    key: string,
    tags: readonly string[],
    late: readonly string[],
    unstored?: string,
  ): void
  /** An answer of a read: `exact` when nothing but the store may have answered, `maybeStale` when a stale copy will do. */
  answered(
    asking: Asking,
    key: string,
    id: number | undefined,
    how: {
      readonly exact: boolean
      readonly maybeStale: boolean
      readonly joins?: boolean
      readonly taken?: boolean
      /** The near tier is asked first. */
      readonly near?: boolean
      /** Nothing was written for longer than any tier keeps it. */
      readonly settled?: boolean
    },
  ): void
  readonly unarrived: Unarrived
  /** A value is sent to the store. */
  sent(id: number): void
  /** A plain value may reach the store at any later moment. */
  lost(value: unknown): void
  /** A write that was to be an event has ended, and may not have arrived. */
  dropped(
    asking: Asking,
    key: string,
    id: number,
    tags: readonly string[],
    capturedAt: number | undefined,
    lifeMs: number,
  ): void
  /** Fails for what a failed delete has left in the store, though its node has heard of it since. */
  checkMadeGood(isAlive: (node: string) => boolean): void
  /** How often what has been checked. */
  readonly counts: Readonly<Record<string, number>>
  /** A write was acknowledged. */
  acknowledged(asking: Asking, key: string, verbs: readonly string[]): void
  counted(asking: Asking, key: string, sum: number): void
  /** What a read of this node would find, and whether it is fresh beyond doubt: undefined when it is not sure. */
  truth(key: string, names: Names, nowMs: number): number | undefined
  alive(key: string, names: Names): Entry | undefined
}

/** The number of a value, as its payload carries it. */
export function idOf(value: unknown): number | undefined {
  const id = (value as { id?: unknown } | undefined | null)?.id
  return typeof id === 'number' ? id : undefined
}

/** A lease is given back within this time after its load, where the store answers. */
const RELEASED_MS = 600
/** How long after a write the log of changes has it, where nothing is lost. */
const PULLED_MS = 500
/** A version seen is taken for the current one for this long. */
const REMEMBERED_MS = 5000

const UNSEEN = {
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
/** Whether the store has failed a node since a call began. */
export function hasFailed({ failures, open }: Life, asking: Asking): boolean {
  return open || failures > asking.failures
}

/** The names of the tags that an entry bears. */
function tagsOf(entry: Entry | undefined): string[] {
  return entry?.tags ? entry.tags.split(',').map((part) => decodeURIComponent(part.split('=')[0] ?? '')) : []
}

export function createOracle(
  world: World,
  server: () => Server,
  lives: ReadonlyMap<string, Life>,
  spaces: readonly Names[],
  /** How long a loader may run, in milliseconds. */
  hardMs: number,
  plain = false,
): Oracle {
  const unarrived = createUnarrived(world, lives)
  const counts = {
    deletesFailed: 0,
    madeGood: 0,
    hidden: 0,
    kept: 0,
    owed: 0,
    pulled: 0,
    comebacks: 0,
    written: 0,
    rewritten: 0,
  }
  /** By their calls. */
  const written = new Map<number, Value>()
  const values = new Map<number, Value>()
  const barriers = new Map<string, Barrier[]>()
  /** When each key last changed in more than its lease. */
  const changes = new Map<string, number>()
  /** What last changed each key, in more than its lease or what that has left behind, and the value it has put there. */
  const lastChanges = new Map<string, { readonly verb: string; readonly id: number | undefined }>()
  const done = new Map<string, number>()
  /** By node and key, when leases were granted. */
  const grants = new Map<string, number[]>()
  const holders = new Map<string, string>()
  /** By node and key, when its last load began. */
  const begun = new Map<string, number>()
  /** By key, when a load last left word that it ended without a value. */
  const words = new Map<string, number>()
  const sums = new Map<string, { at: number; by: number }[]>()
  let fault: string | undefined
  let checks = 0

  const fail = (what: string): void => {
    fault ??= what
  }
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
  /** The last barrier of a key between two moments, other than the write of a value itself. */
  const since = (
    key: string,
    at: number,
    before: number,
    hard: boolean,
    joined: boolean,
    except?: number,
    asking?: Asking,
  ): Barrier | undefined => {
    const list = barriers.get(key)
    if (!list) return undefined
    for (let i = list.length - 1; i >= 0; i--) {
      const barrier = list[i] as Barrier
      if (barrier.at <= at) return undefined
      const own = (except !== undefined && barrier.writes === except) || (joined && barrier.what === 'evict')
      if (barrier.at < before && !own && !(hard && barrier.soft) && binds(barrier, asking)) return barrier
    }
    return undefined
  }
  const barrier = (key: string, what: string, from: string, soft: boolean, writes?: number): void => {
    const list = barriers.get(key)
    const made = {
      at: world.tick(),
      time: world.time,
      what,
      writes,
      soft,
      from,
      acknowledged: Number.POSITIVE_INFINITY,
    }
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
    return joined ? undefined : since(key, Math.max(storedAt, began), asking.from, false, false, id, asking)
  }
  /** What ended the last birth of a value before `from`; undefined when one is still good. */
  const endOf = (value: Value, id: number, asking: Asking, hard: boolean, joined: boolean): Barrier | undefined => {
    let end: Barrier | undefined
    if (plain && value.loaded) return endOfPlain(value, id, asking, joined)
    const { names, from } = asking
    for (const { atKey, atTags, tags, late } of value.births) {
      end =
        since(value.key, atKey, from, hard, joined, id, asking) ??
        since(names.generation, atTags, from, hard, joined, undefined, asking)
      for (const tag of joined ? tags : [...tags, ...late])
        end ??= since(names.tag(tag), atTags, from, hard, joined, undefined, asking)
      if (!end) return undefined
    }
    return end ?? { at: 0, time: 0, what: 'nothing', writes: undefined, soft: false, from: '', acknowledged: 0 }
  }

  const namesOf = (key: string): Names => spaces.find(({ namespace }) => key.startsWith(`${namespace}:`)) as Names
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
  const cutSince = (names: Names, tags: readonly string[], at: number): Barrier | undefined =>
    [names.generation, ...tags.map(names.tag)].flatMap((each) => barriers.get(each) ?? []).find((each) => each.at > at)
  /** A write that was acknowledged is there, unless something has ended it since its call began. */
  const checkWritten = (asking: Asking, value: Value): void => {
    const { key, births, endsMs } = value
    const { names, node, from } = asking
    const { tags } = births.at(-1) as Birth
    const { id } = lastChanges.get(key) ?? {}
    if (id === undefined || values.get(id) !== value || world.time > endsMs - 1) return
    counts.written++
    if (cutSince(names, tags, from)) return
    const entry = alive(key, names)
    if (idIn(entry) !== id) fail(`${node} was told that #${id} was written to ${key}, and nobody can read it`)
    else checkTags(asking, key)
  }
  /** Tags outlive what bears them. */
  const checkTags = ({ names, node }: Asking, key: string): void => {
    for (const tag of tagsOf(alive(key, names))) {
      if (server().leftMs(names.tag(tag)) < server().leftMs(key))
        fail(`${node} has written ${key}, which outlives its tag ${tag}`)
    }
  }
  const birthsFor = ({ births, loaded, storedAt, node, lost }: Value, reader: string): readonly Birth[] => {
    const stored = plain && loaded && (node !== reader || lost)
    return stored ? births.map((birth) => ({ ...birth, atKey: Math.max(birth.atKey, storedAt) })) : births
  }
  /** A delete that makes a failed one good must leave what was written since. */
  const madeGood = (node: string, key: string, before: string | undefined, { sentAt }: Late): void => {
    const grave = unarrived.lastFailed(node, key)
    if (!grave) {
      fail(`${node} deletes ${key}, which nobody has asked for`)
      return
    }
    counts.madeGood++
    const entry = plain ? undefined : parse(before)
    const id = idInText(before)
    const value = values.get(id ?? -1)
    if (entry && entry.mark !== NO_VALUE && entry.writtenMs >= grave.failedMs + CLOCKS_DIFFER_MS)
      fail(`${node} removed #${id} of ${key} for a delete that had failed long before (call ${grave.from})`)
    if (!value || value.loaded || value.node !== node || value.from < grave.failedAt || sentAt < value.sentAt) return
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
  const parse = (text: string | undefined): Entry | undefined => (text === undefined ? undefined : parseEntry(text))
  const idIn = (entry: Entry | undefined): number | undefined => {
    if (entry?.mark !== 'j') return undefined
    return idOf(JSON.parse(entry.payload))
  }
  const idInText = (text: string | undefined): number | undefined =>
    plain ? idOf(JSON.parse(text ?? 'null')) : idIn(parse(text))
  /** An entry under whose generation and tags it is still valid. */
  const valid = (text: string | undefined, names: Names): Entry | undefined => {
    const entry = parse(text)
    if (!entry || entry.mark === NO_VALUE || entry.generation !== server().peek(names.generation)) return undefined
    if (entry.tags) {
      for (const part of entry.tags.split(',')) {
        const [tag = '', version] = part.split('=')
        if (server().peek(names.tag(decodeURIComponent(tag))) !== version) return undefined
      }
    }
    return entry
  }
  const alive = (key: string, names: Names): Entry | undefined => valid(server().peek(key), names)
  /** Whether an entry is there to everybody, by the store's clock. */
  const isLive = (text: string | undefined, key: string): boolean => {
    const entry = valid(text, namesOf(key))
    if (!entry) return false
    return entry.freshUntilMs === entry.expiresMs || entry.freshUntilMs > world.time
  }

  const truth = (key: string, names: Names, nowMs: number): number | undefined => {
    if (plain) return server().leftMs(key) > 0 ? idInText(server().peek(key)) : undefined
    const entry = alive(key, names)
    const id = idIn(entry)
    if (!entry || id === undefined || server().leftMs(key) <= 0) return undefined
    const graced = entry.freshUntilMs !== entry.expiresMs
    return graced && entry.freshUntilMs <= Math.max(nowMs, world.time) ? undefined : id
  }
  const isStable = (key: string, names: Names, from: number): boolean => {
    const entry = plain ? undefined : alive(key, names)
    const parts = tagsOf(entry).map(names.tag)
    return [key, names.generation, ...parts].every((part) => (changes.get(part) ?? 0) < from)
  }

  return {
    truth,
    get fault() {
      return fault
    },
    get checks() {
      return checks
    },
    fail,
    alive,
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
    dropped(asking, key, id, tags, capturedAt, lifeMs) {
      const to = asking.names.key(key)
      const value = values.get(id) as Value
      counts.kept++
      value.kept = true
      const at = world.tick()
      value.births.push({ atKey: at, atTags: capturedAt ?? at, tags, late: [], time: world.time })
      const stored = (done.get(`${asking.node} set ${to}`) ?? 0) > asking.from
      // What was captured may have ended since: it is then not kept.
      if (!stored && capturedAt === undefined) unarrived.kept(asking, to, id, lifeMs)
    },
    checkMadeGood(isAlive) {
      for (const [node, key, { from, sinceMs }] of unarrived.graves()) {
        counts.deletesFailed++
        const id = idInText(server().peek(key))
        const value = values.get(id ?? -1)
        if (!value || !isAlive(node) || value.storedMs >= sinceMs + CLOCKS_DIFFER_MS) continue
        if (value.storedAt < from && value.births.every(({ atKey }) => atKey < from))
          fail(`#${id} of ${key} is there, though ${node} was to make its delete good (call ${from})`)
      }
    },
    effect({ key, name, args, before, after, reply, from, late }) {
      const at = world.tick()
      const verb = /^(entry|plain)\./.test(name) ? String(args[0]) : name
      if (late && after === undefined) madeGood(from, key, before, late)
      done.set(`${from} ${verb} ${key}`, at)
      const withoutLease = (text: string | undefined): string | undefined =>
        text && isEntry(text) ? text.slice(0, 73) + text.slice(104) : text
      if (withoutLease(before) !== withoutLease(after)) {
        changes.set(key, at)
        if (!plain && verb !== 'lease' && verb !== 'release') lastChanges.set(key, { verb, id: idInText(after) })
      } else if (verb === 'touch' && reply === 1) lastChanges.set(key, { verb, id: undefined })
      switch (verb) {
        case 'evict':
          // What was forgotten is not wrong. A version that was lost ends what bears it, all the same.
          if (key.startsWith(':')) barrier(key, verb, from, false)
          break
        case 'delete':
        case 'bury':
        case 'take':
          if (verb === 'delete' || before !== after) barrier(key, verb, from, false)
          break
        case 'expire':
          barrier(key, verb, from, reply === 1)
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
          // What is there no more because its source has none is no wrong.
          if (verb === 'gone') barrier(key, verb, from, false)
          break
        case 'version.soften':
          barrier(key, verb, from, true)
          break
        case 'lease': {
          if (reply !== 1 && !(Array.isArray(reply) && reply[0] === 'held')) break
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
          break
        }
        case 'set':
        case 'add':
        case 'fill':
        case 'rewrite': {
          if (verb !== 'set' && !reply) break
          if (verb === 'fill' && parse(after)?.mark === NO_VALUE) words.set(key, at)
          if (verb === 'add' && !plain && parse(before)?.id !== args[1] && isLive(before, key))
            fail(`${from} added to ${key}, where something was`)
          const id = idInText(after)
          const value = id === undefined ? undefined : values.get(id)
          if (value && id !== undefined) {
            // Once more is no other value to take.
            if (verb === 'rewrite') counts.rewritten++
            else value.writes++
            value.storedAt = at
            value.storedMs = world.time
            value.endsMs = world.time + server().leftMs(key)
            if (value.unstored) fail(`the store took #${id} of ${key}, ${value.unstored}`)
            if (value.loaded && plain) {
              checkPlainFill(value, id)
            } else if (verb === 'fill') {
              const ends = value.births.map(({ atKey }) => since(key, atKey, at, false, false, id))
              if (ends.every((end) => end))
                fail(`the store took #${id} for ${key}, whose load began before ${ends[0]?.what}`)
            } else {
              const own = value.births[0] as Birth
              value.births[0] = { ...own, atKey: at, atTags: Math.min(own.atTags, at) }
            }
          }
          if (value && !plain && !valid(after, namesOf(key)) && !wasCut(value, key, after))
            fail(`#${id} of ${key} was written so that nobody can read it`)
          barrier(key, verb, from, false, id)
          break
        }
        case 'increment': {
          if (before !== undefined || after !== undefined) {
            const list = sums.get(key) ?? []
            list.push({ at, by: Number(args[4]) })
            sums.set(key, list)
          }
          barrier(key, verb, from, false)
        }
      }
      checks++
    },
    writing(id, asking, key, tags, capturedAt) {
      // Its birth is when the store takes it; only what was captured is older.
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
      // Nobody waits for two loads of others: the first ended without a value, or took longer than any may.
      const waited = (words.get(to) ?? 0) > from || world.time - asking.since > hardMs
      if (!granted && !excused && !failed && !waited)
        fail(`${node} began a load of ${to} without its lease, with the store at hand`)
      checks++
      const life = lives.get(node) as Life
      const lease = parse(server().peek(to))?.lease
      return {
        began: at,
        time: world.time,
        // Granted, though the answer may have been lost.
        leaseless: !granted || failed,
        ended() {
          // Of several it is not known which was its own.
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
    answered(asking, key, id, { exact, maybeStale, joins = false, taken = false, near = false, settled = false }) {
      checks++
      const { node, names, from, jumps } = asking
      const life = lives.get(node) as Life
      const to = names.key(key)
      const sure = truth(to, names, life.now())
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
      const grave = unarrived.hiddenBy(asking, to, birthsFor(value, node), value.storedMs)
      if (grave) return fail(`${node} got #${id} for ${to}, after a delete that failed (call ${grave.from})`)
      if (joins && value.node === node) value.ended = Math.min(value.ended, world.tick())
      // What was loaded without a lease answers from the near tier while the store is away.
      counts.hidden += Number(!!unarrived.lastFailed(node, to))
      const unheard = value.leaseless && asking.heardAt < (value.births[0]?.atKey ?? 0)
      if (unheard && life.lateMs > 0 && value.node === node) return
      const end = endOf(value, id, asking, maybeStale, joined)
      if (end) fail(`${node} got #${id} for ${to}, of before ${end.what} (${end.at}); the call began at ${from}`)
    },
    acknowledged(asking, key, verbs) {
      checks++
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
      checks++
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
