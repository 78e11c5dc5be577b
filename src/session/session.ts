import { HitherError } from '../errors.ts'
import { now } from '../runtime/clock.ts'
import { randomBytes, randomId } from '../runtime/random.ts'
import type { Call } from '../store/store.ts'
import { digestOf, ID_BYTES, subjectRef, toBase64Url } from './cookie.ts'
import { dataOf, FIELD, FLASH, fieldName, type OpenField, snapshotOf } from './fields.ts'
import type { SessionMaker } from './maker.ts'
import { captureGeneration, listSession, takeSession, touchSession, writeSession } from './operations.ts'
import { parseRecord } from './record.ts'
import type { Session } from './types.ts'

/** A session that a request's cookie has opened. */
export interface FoundSession {
  readonly id: string
  /** SHA-256 of the id: its name in the store. */
  readonly handle: string
  readonly seenMs: number
  /** Reference to the subject; '' for none. */
  readonly subject: string
  readonly fields: ReadonlyMap<string, OpenField>
}

/** What one request knows of its session. */
interface State {
  /** Where it is stored; undefined while it is new, and after `rotate` and `destroy`. */
  place: { readonly id: string; readonly handle: string; readonly key: string; readonly seenMs: number } | undefined
  /** What the store held, by stored name. */
  stored: ReadonlyMap<string, OpenField>
  /** What this request has done since; undefined deletes. */
  readonly changed: Map<string, { readonly value: unknown } | undefined>
  /** What an object was when it was read, to find those that are changed in place. */
  readonly snapshots: Map<string, string>
  subject: string
  /** The subject's generation that a rotated session goes on under; '' for none. */
  generation: string
  newSubject: string | undefined
  /** When the session began that goes on under a new id, in ms by the store's clock; 0: it begins when it is saved. */
  createdMs: number
  /** It is stored though nothing was put into it: its old id has ended. */
  rotated: boolean
  /** The client holds a cookie that opens nothing any more. */
  clearCookie: boolean
  /** Another request has ended it: nothing is stored, and no cookie is sent over that request's. */
  endedElsewhere: boolean
}

/** A generation outlives every session that holds it by an hour, whatever the clocks say. */
const GENERATION_MARGIN_MS = 3_600_000
const CREATE = 1
const CHANGE = 0

/**
 * The session of one request:
 *
 *   new ── save ──► stored ── destroy ──► new, and the cookie is cleared
 *                     └────── rotate ───► new, with the data and the beginning of the old one
 *
 * `save` sends changes by name, so that two requests at once lose no field of each other. The store refuses them where the
 * session has ended meanwhile, so that it is never made again.
 */
export function createSession<T>(maker: SessionMaker<T>, device: string, found?: FoundSession): Session<T> {
  const { store, fields } = maker
  const state: State = {
    place: found && { ...found, key: maker.sessionKey(found.handle) },
    stored: found?.fields ?? new Map(),
    changed: new Map(),
    snapshots: new Map(),
    subject: found?.subject ?? '',
    generation: '',
    newSubject: undefined,
    createdMs: 0,
    rotated: false,
    clearCookie: false,
    endedElsewhere: false,
  }
  const { changed, snapshots } = state
  let queue: Promise<unknown> = Promise.resolve()
  /** `save`, `rotate` and `destroy` one after another. */
  const queued = <R>(work: () => Promise<R>): Promise<R> => {
    const next = queue.then(work)
    queue = next.catch(() => {})
    return next
  }

  const read = (name: string): unknown => {
    if (changed.has(name)) return changed.get(name)?.value
    const value = state.stored.get(name)?.value
    if (typeof value === 'object' && value !== null && !snapshots.has(name)) snapshots.set(name, snapshotOf(value))
    return value
  }
  const put = (name: string, value: unknown): void => {
    if (value === undefined) throw new HitherError('INVALID_VALUE', 'undefined cannot be stored: delete the field')
    changed.set(name, { value })
  }
  const takeOld = async (call?: Call): Promise<void> => {
    const { place } = state
    if (!place) return
    const record = parseRecord(await store.run(takeSession, place.key, [], call))
    const kept = record && (await fields.open(place.key, record.fields))
    // Another request has ended it: what it held is gone, and its subject with it.
    reset(state)
    if (!record || !kept) return
    state.stored = kept
    state.subject = record.subject
    state.generation = record.generation
    state.createdMs = record.createdMs
  }
  return {
    get isNew() {
      return state.place === undefined && !state.rotated
    },
    get: (name) => read(fieldName(FIELD, name)) as never,
    set: (name, value) => put(fieldName(FIELD, name), value),
    delete: (name) => void changed.set(fieldName(FIELD, name), undefined),
    flash(name: string, ...given: [value?: unknown]) {
      const stored = fieldName(FLASH, name)
      if (given.length > 0) return put(stored, given[0])
      const value = read(stored)
      if (value !== undefined) changed.set(stored, undefined)
      return value
    },
    bind(subject) {
      if (typeof subject !== 'string' || subject === '') {
        throw new HitherError('INVALID_ARGUMENT', 'a subject is a string that is not empty, such as user:7')
      }
      state.newSubject = subject
    },
    rotate: (call) =>
      queued(async () => {
        await takeOld(call)
        state.rotated = true
        state.endedElsewhere = false
      }),
    destroy: (call) =>
      queued(async () => {
        const { place, rotated } = state
        if (place) await store.delete([place.key], call)
        changed.clear()
        state.newSubject = undefined
        reset(state)
        state.clearCookie = place !== undefined || rotated
      }),
    save: (call) => queued(() => save(maker, device, state, call)),
  }
}

/** Forgets what the store held. */
function reset(state: State): void {
  state.place = undefined
  state.stored = new Map()
  state.snapshots.clear()
  state.subject = ''
  state.generation = ''
  state.createdMs = 0
  state.rotated = false
}

/** Sends what changed. Resolves to the cookie, where it changes. */
async function save<T>(
  maker: SessionMaker<T>,
  device: string,
  state: State,
  call: Call | undefined,
): Promise<string | undefined> {
  const { place, stored, changed, newSubject } = state
  if (state.endedElsewhere) return undefined
  for (const name of changedInPlace(state)) changed.set(name, stored.get(name))
  if (changed.size === 0 && newSubject === undefined) {
    if (place) {
      if (Math.abs(now() - place.seenMs) >= maker.touchAfterMs) await touch(maker, state, call)
      return undefined
    }
    if (!state.rotated) return state.clearCookie ? maker.cookies.clear() : undefined
  }
  const current = new Map<string, { readonly value: unknown }>(stored)
  for (const [name, field] of changed) field ? current.set(name, field) : current.delete(name)
  await maker.fields.check(dataOf(current))
  if (!place && current.size === 0 && newSubject === undefined && !state.rotated) return undefined
  return place ? change(maker, device, state, place, call) : create(maker, device, state, current, call)
}

/** Objects that were read and are not what they were. */
function changedInPlace({ changed, snapshots, stored }: State): string[] {
  return [...snapshots].flatMap(([name, before]) =>
    !changed.has(name) && snapshotOf(stored.get(name)?.value) !== before ? [name] : [],
  )
}

async function touch<T>({ store, idleMs }: SessionMaker<T>, state: State, call?: Call): Promise<void> {
  const { place } = state
  if (!place) return
  const done = await store.run(touchSession, place.key, [idleMs], call)
  if (done === 1) state.place = { ...place, seenMs: now() }
  else state.endedElsewhere = true
}

/** Stores a new session, or a rotated one, under a new id. */
async function create<T>(
  maker: SessionMaker<T>,
  device: string,
  state: State,
  current: ReadonlyMap<string, { readonly value: unknown }>,
  call?: Call,
): Promise<string | undefined> {
  const { store, idleMs, absoluteMs } = maker
  const id = toBase64Url(randomBytes(ID_BYTES))
  const handle = await digestOf(id)
  const key = maker.sessionKey(handle)
  const [lines, bound] = await Promise.all([linesOf(maker, key, current), bind(maker, state, call)])
  const { subject, generation } = bound ?? state
  const [done] = await Promise.all([
    store.run(writeSession, key, [CREATE, idleMs, state.createdMs, absoluteMs, subject, generation, lines], call),
    addToList(maker, subject, handle, device, call),
  ])
  // A rotated session whose absolute end has come is over.
  if (done !== 1) {
    reset(state)
    return maker.cookies.clear()
  }
  saved(state, { id, handle, key, seenMs: now() }, subject, current)
  return maker.cookies.write({ id, subject })
}

/** Changes a session that is stored. The cookie changes with its subject alone. */
async function change<T>(
  maker: SessionMaker<T>,
  device: string,
  state: State,
  place: NonNullable<State['place']>,
  call?: Call,
): Promise<string | undefined> {
  const { store, idleMs, absoluteMs } = maker
  const { key, handle, id } = place
  const [lines, bound] = await Promise.all([linesOf(maker, key, state.changed), bind(maker, state, call)])
  const { subject = '', generation = '' } = bound ?? {}
  const [done] = await Promise.all([
    store.run(writeSession, key, [CHANGE, idleMs, 0, absoluteMs, subject, generation, lines], call),
    addToList(maker, subject, handle, device, call),
  ])
  if (done !== 1) {
    state.endedElsewhere = true
    return undefined
  }
  const current = new Map(state.stored)
  for (const [name, field] of state.changed) {
    field ? current.set(name, { text: '', value: field.value }) : current.delete(name)
  }
  saved(state, { ...place, seenMs: now() }, bound ? subject : state.subject, current)
  return bound ? maker.cookies.write({ id, subject }) : undefined
}

/** The generation of a subject that the session is to be bound to. */
async function bind<T>(
  { store, absoluteMs, generationKey }: SessionMaker<T>,
  { newSubject }: State,
  call?: Call,
): Promise<{ readonly subject: string; readonly generation: string } | undefined> {
  if (newSubject === undefined) return undefined
  const subject = await subjectRef(newSubject)
  const lifeMs = absoluteMs + GENERATION_MARGIN_MS
  return { subject, generation: await store.run(captureGeneration, generationKey(subject), [randomId(), lifeMs], call) }
}

async function addToList<T>(
  { store, absoluteMs, listKey }: SessionMaker<T>,
  subject: string,
  handle: string,
  device: string,
  call?: Call,
): Promise<void> {
  if (subject) await store.run(listSession, listKey(subject), [handle, now() + absoluteMs, device], call)
}

/** A line for each field; a name alone deletes. */
async function linesOf<T>(
  { fields }: SessionMaker<T>,
  key: string,
  all: ReadonlyMap<string, { readonly value: unknown } | undefined>,
): Promise<string> {
  const lines = Array.from(all, async ([name, field]) =>
    field ? `${name}\t${await fields.encode(key, name, field.value)}` : name,
  )
  return (await Promise.all(lines)).join('\n')
}

function saved(
  state: State,
  place: NonNullable<State['place']>,
  subject: string,
  current: ReadonlyMap<string, { readonly value: unknown }>,
): void {
  reset(state)
  state.place = place
  state.subject = subject
  state.stored = new Map(Array.from(current, ([name, { value }]) => [name, { text: '', value }]))
  state.changed.clear()
  state.newSubject = undefined
  state.clearCookie = false
}
