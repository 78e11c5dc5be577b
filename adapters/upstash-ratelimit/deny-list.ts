import type { Operation } from 'hither'
import { isCount, isObject, readState, step } from './step.ts'

/** All deny lists under one prefix, and the status of the list of IP addresses: its text, and its end (null for none). */
interface Lists {
  readonly sets: Record<string, string[]>
  status?: { readonly text: string; readonly endsMs: number | null }
}

const PENDING_MS = 30_000

/**
 * Splits `prefix:denyList:all` into the key that holds all lists and the status of that prefix, and the name of the one that is
 * meant. The key begins with `::`, as no key of an id does.
 */
export function listOf(key: string): readonly [held: string, name: string] | undefined {
  const [, prefix, name] = /^(.*):(denyList:[^:]+|ipDenyListStatus)$/s.exec(key) ?? []
  return prefix === undefined || name === undefined ? undefined : [`::denyList:${prefix}`, name]
}

function read(current: string | undefined, nowMs: number): Lists {
  const { sets, status } = readState(current)
  const lists: Lists = { sets: Object.create(null) }
  for (const [name, members] of Object.entries(isObject(sets) ? sets : {}))
    if (Array.isArray(members) && members.every((member) => typeof member === 'string')) lists.sets[name] = members
  if (!isObject(status) || typeof status.text !== 'string') return lists
  const { text, endsMs } = status
  if (endsMs === null || (isCount(endsMs) && endsMs > nowMs)) lists.status = { text, endsMs }
  return lists
}

/**
 * Replies the seconds left of the status, -1 if it has no end, -2 if the list must be fetched (the status is then `pending` for
 * 30 s); then for each member 1 if it is denied, 0 if not.
 */
export const checkMembers: Operation<readonly [all: string, ...string[]], readonly number[]> = step(
  'deny-check',
  (current, [all, ...members], nowMs) => {
    const lists = read(current, nowMs)
    const denied = new Set(lists.sets[all])
    const endsMs = lists.status ? lists.status.endsMs : undefined
    const left = endsMs === undefined ? -2 : endsMs === null ? -1 : Math.round((endsMs - nowMs) / 1000)
    if (left === -2) lists.status = { text: 'pending', endsMs: nowMs + PENDING_MS }
    return { next: JSON.stringify(lists), reply: [left, ...members.map((member) => (denied.has(member) ? 1 : 0))] }
  },
)

type Change = readonly [verb: string, name: string, ...rest: string[]]

/** Runs one of the commands that make up the package's transactions on deny lists. */
export const changeLists: Operation<Change, number | string> = step(
  'deny-change',
  (current, [verb, name, ...rest], nowMs) => {
    const lists = read(current, nowMs)
    const { sets } = lists
    const of = (key: string | undefined): Set<string> => new Set(sets[key as string])
    let reply: number | string = 0
    if (verb === 'SET') {
      const life = rest[1]?.toUpperCase() === 'PX' ? Number(rest[2]) : undefined
      lists.status = { text: rest[0] as string, endsMs: life === undefined ? null : nowMs + life }
      reply = 'OK'
    } else if (verb === 'DEL') {
      reply = name in sets ? 1 : 0
      delete sets[name]
    } else {
      const before = of(name).size
      const [first, second] = [of(rest[0]), of(rest[1])]
      const next =
        verb === 'SADD'
          ? new Set([...of(name), ...rest])
          : verb === 'SUNIONSTORE'
            ? new Set([...first, ...second])
            : new Set([...first].filter((member) => !second.has(member)))
      if (next.size > 0) sets[name] = [...next]
      else delete sets[name]
      reply = verb === 'SADD' ? next.size - before : next.size
    }
    return { next: JSON.stringify(lists), reply }
  },
)
