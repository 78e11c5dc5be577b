import { createCounter } from '../../../src/counter/index.ts'
import { createIdempotency } from '../../../src/idempotency/index.ts'
import { createOnce } from '../../../src/once/index.ts'
import { hashedEntries } from '../../../src/session/index.ts'
import type { AtomicStore, CommandStore } from '../../../src/store/store.ts'
import { hash, list } from '../../../src/structures/index.ts'
import { createTokens } from '../../../src/token/index.ts'
import type { Chance } from '../../simulation/chance.ts'
import type { Model } from './linearizable.ts'

/** A call to make. */
export interface Make {
  readonly name: string
  readonly args: readonly unknown[]
  call(): Promise<unknown>
  /** When it may take effect a second time: the store may send it again after a lost reply, or it undoes itself if it rejects. */
  readonly again?: 'always' | 'rejected'
  readonly isRead?: boolean
}

/** One key of a feature, over several stores of one server. */
export interface Kind {
  /** The next call, of the caller with this store. */
  next(store: number, chance: Chance): Make
  // biome-ignore lint/suspicious/noExplicitAny: each kind has its own state
  readonly model: Model<any>
}

interface Place {
  readonly stores: readonly AtomicStore[]
  /** A store whose calls do not fail. */
  readonly direct: AtomicStore
  readonly key: string
  readonly chance: Chance
}
type Open = (place: Place) => Kind | Promise<Kind>

let ids = 0
/** The store that a caller uses, of those over which a feature was made. */
const of = <T>(all: readonly T[], at: number): T => all[at % all.length] as T
/** A state, if a call that resolved to `given` can have led to it. */
const only = <S>(given: unknown, expected: unknown, after: S): readonly S[] => (given === expected ? [after] : [])
const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

const MAX = 7

const counter: Open = ({ stores, key, chance }) => {
  const window = chance.hit(0.4) ? ({ window: '1h', buckets: 5 } as const) : {}
  const counters = stores.map((store) => createCounter({ store, name: 'random', max: MAX, ...window }))
  return {
    next(at, { pick }) {
      const counts = of(counters, at)
      const by = pick([1, 2, 3, -1, -2])
      const change = { name: 'increment', args: [by], call: () => counts.increment(key, by) }
      const get = { name: 'get', args: [], call: () => counts.get(key), isRead: true }
      const reset = { name: 'reset', args: [], call: () => counts.reset(key), again: 'always' } as const
      return pick([change, change, change, get, reset])
    },
    model: {
      initial: 0,
      next(count: number, { name, args, result, isUnknown }) {
        if (name === 'reset') return [0]
        if (name === 'get') return only(result, count, count)
        const by = args[0] as number
        const isRefused = by > 0 && count + by > MAX
        const after = isRefused ? count : count + by
        return isUnknown ? [after] : only(result, isRefused ? undefined : after, after)
      },
    },
  }
}

const once: Open = ({ stores, key }) => {
  const all = stores.map((store) => createOnce({ store, ttl: '1h' }))
  return {
    next: (at) => ({ name: 'first', args: [], call: () => of(all, at).first(key) }),
    model: {
      initial: -1,
      next(first: number, { id, result, isUnknown }) {
        const after = first === -1 ? id : first
        return isUnknown ? [after] : only(result, after === id, after)
      },
    },
  }
}

const token: Open = async ({ stores, direct }) => {
  const settings = { name: 'random', ttl: '1h' } as const
  const issued = await createTokens({ store: direct, ...settings }).issue('data')
  const all = stores.map((store) => createTokens({ store, ...settings }))
  return {
    next: (at) => ({ name: 'consume', args: [], call: () => of(all, at).consume(issued) }),
    model: {
      initial: 'data',
      next: (data: string | null, { result, isUnknown }) => (isUnknown || (result ?? null) === data ? [null] : []),
    },
  }
}

const entries: Open = ({ stores, key }) => {
  const all = stores.map((store) => hashedEntries({ store, ttl: '1h' }))
  return {
    next(at, { pick }) {
      const own = of(all, at)
      const text = `${++ids}`
      return pick<Make>([
        { name: 'set', args: [text], call: () => own.set(key, text) },
        { name: 'take', args: [], call: () => own.take(key) },
        { name: 'get', args: [], call: () => own.get(key), isRead: true },
        { name: 'delete', args: [], call: () => own.delete(key), again: 'always' },
      ])
    },
    model: {
      initial: null,
      next(text: string | null, { name, args, result, isUnknown }) {
        if (name === 'set') return [args[0] as string]
        if (name === 'get') return only(result ?? null, text, text)
        if (isUnknown) return [null]
        // A delete that was sent again says that there was nothing, although it has deleted the entry itself.
        if (name === 'delete') return only(result, text !== null, null)
        return only(result ?? null, text, null)
      },
    },
  }
}

interface Held {
  readonly holder: number
  readonly response: string
}
const idempotency: Open = ({ stores, key }) => {
  const all = stores.map((store) => createIdempotency({ store, ttl: '1h', hold: '1h', wait: 0 }))
  const held: { readonly id: number; end(response: string): Promise<unknown>; release(): Promise<unknown> }[] = []
  return {
    next(at, chance) {
      const own = chance.hit(0.4) ? held.pop() : undefined
      const response = `${++ids}`
      if (own && chance.hit(0.5)) {
        return { name: 'release', args: [own.id], call: () => own.release() }
      }
      if (own) {
        return { name: 'complete', args: [own.id, response], call: () => own.end(response) }
      }
      const id = ids
      const call = async (): Promise<unknown> => {
        const attempt = await of(all, at).begin(key)
        if (attempt.outcome === 'replay') return `replay ${attempt.response}`
        if (attempt.outcome === 'first') held.push({ id, end: attempt.complete, release: attempt.release })
        return attempt.outcome
      }
      return { name: 'begin', args: [id], call, again: 'rejected' }
    },
    model: {
      initial: { holder: 0, response: '' },
      next({ holder, response }: Held, { name, args, result, isUnknown }) {
        const [id, given] = args as [number, string]
        const isHeld = holder === id
        const isFree = holder === 0
        const free = { holder: 0, response: '' }
        const same = { holder, response }
        if (name === 'begin') {
          // One that rejects releases the key, if it has claimed it after all.
          if (isUnknown) return isFree ? [{ holder: id, response: '' }] : isHeld && response === '' ? [free] : []
          const isFirst = isFree || (isHeld && response === '')
          const reply = isFirst ? 'first' : response ? `replay ${response}` : 'running'
          return only(result, reply, isFirst ? { holder: id, response: '' } : same)
        }
        if (name === 'release') return [isHeld && response === '' ? free : same]
        const after = isHeld ? { holder, response: given } : same
        return isUnknown ? [after] : only(result, isHeld, after)
      },
    },
  }
}

const queue: Open = ({ stores, key }) => {
  const all = stores.map((store) => list<number>({ store: store as CommandStore }, key))
  return {
    next(at, { pick }) {
      const own = of(all, at)
      const value = ++ids
      const append = { name: 'append', args: [value], call: () => own.append([value]) }
      const take = { name: 'takeFirst', args: [], call: () => own.takeFirst() }
      return pick<Make>([append, append, take, { name: 'range', args: [], call: () => own.range(0, -1), isRead: true }])
    },
    model: {
      initial: [],
      next(values: readonly number[], { name, args, result, isUnknown }) {
        if (name === 'range') return isSame(result, values) ? [values] : []
        const after = name === 'append' ? [...values, args[0] as number] : values.slice(1)
        return isUnknown ? [after] : only(result, name === 'append' ? after.length : values[0], after)
      },
    },
  }
}

const fields: Open = ({ stores, key }) => {
  const all = stores.map((store) => hash<number>({ store: store as CommandStore }, key))
  return {
    next(at, { pick }) {
      const own = of(all, at)
      const by = ++ids
      const add = { name: 'incrementBy', args: [by], call: () => own.incrementBy('f', by) }
      const remove = { name: 'delete', args: [], call: () => own.delete('f') }
      return pick<Make>([add, add, remove, { name: 'get', args: [], call: () => own.get('f'), isRead: true }])
    },
    model: {
      initial: 0,
      next(sum: number, { name, args, result, isUnknown }) {
        if (name === 'get') return only(result ?? 0, sum, sum)
        const after = name === 'delete' ? 0 : sum + (args[0] as number)
        return isUnknown ? [after] : only(result, name === 'delete' ? Number(sum > 0) : after, after)
      },
    },
  }
}

export const anywhere: Readonly<Record<string, Open>> = { counter, once, token, entries, idempotency }
/** Kinds that need Redis commands. */
export const overCommands: Readonly<Record<string, Open>> = { queue, fields }
