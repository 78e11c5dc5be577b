import { HitherError } from '../errors.ts'
import { now } from '../runtime/clock.ts'
import { randomId } from '../runtime/random.ts'
import type { Call } from '../store/store.ts'
import { digestOf, newId, subjectRef } from './cookie.ts'
import { type Field, snapshotOf, storedOf } from './fields.ts'
import type { SessionMaker } from './maker.ts'
import { captureGeneration, listSession, MAX_SESSION_BYTES, touchSession, writeSession } from './operations.ts'
import { parseRecord } from './record.ts'
import { forget, type State } from './state.ts'

/** One save. Its contents are fixed when it begins, since the session may be changed while the save is under way. */
interface Saving {
  readonly maker: SessionMaker
  readonly device: string
  readonly state: State
  /** Changed fields by stored name; undefined deletes the field. */
  readonly changed: ReadonlyMap<string, Field | undefined>
  /** All fields: the stored ones with the changes applied. */
  readonly current: ReadonlyMap<string, Field>
  readonly newSubject: string | undefined
  /** Texts of the objects in this save, to detect later changes in place. */
  readonly snapshots: ReadonlyMap<string, string>
  readonly call: Call | undefined
}

/** A subject to which a session is, or will be, bound, and the subject's generation. Both are '' for none. */
interface Binding {
  readonly subject: string
  readonly generation: string
}

/** A generation outlives every session that has it by an hour, in case clocks differ. */
const GENERATION_MARGIN_MS = 3_600_000
const CREATE = 1
const CHANGE = 0
/** Replies of `session.write`. */
const WRITTEN = 1
const BOUND_OTHERWISE = 2
const TOO_LARGE = 3

/** Sends the changes. Resolves to the `Set-Cookie` value, or to undefined when nothing changed. */
export async function save(
  maker: SessionMaker,
  device: string,
  state: State,
  call: Call | undefined,
): Promise<string | undefined> {
  const { place, changed, newSubject } = state
  if (state.endedElsewhere) return undefined
  noteChangedInPlace(state)
  if (changed.size === 0 && newSubject === undefined) {
    if (place) {
      if (Math.abs(now() - place.seenMs) >= maker.touchAfterMs) await touch(maker, state, call)
      return undefined
    }
    if (!state.nextId) return state.clearCookie ? maker.cookies.clear() : undefined
  }
  const saving = begin(maker, device, state, call)
  await maker.fields.check(saving.current)
  if (!place && saving.current.size === 0 && newSubject === undefined && !state.nextId) return undefined
  return place ? change(saving, place) : create(saving)
}

/** Adds to `changed` the objects that were read and then changed in place. */
export function noteChangedInPlace({ changed, snapshots, stored }: State): void {
  for (const [name, before] of snapshots) {
    const value = stored.get(name)?.value
    if (!changed.has(name) && snapshotOf(value) !== before) changed.set(name, { value, isStored: true })
  }
}

function begin(maker: SessionMaker, device: string, state: State, call: Call | undefined): Saving {
  const changed = new Map(state.changed)
  const current = new Map<string, Field>(state.stored)
  const snapshots = new Map(state.snapshots)
  for (const [name, field] of changed) {
    if (field) current.set(name, field)
    else current.delete(name)
    if (!field) snapshots.delete(name)
    else if (snapshots.has(name)) snapshots.set(name, snapshotOf(field.value))
  }
  return { maker, device, state, changed, current, newSubject: state.newSubject, snapshots, call }
}

async function touch({ store, idleMs }: SessionMaker, state: State, call?: Call): Promise<void> {
  const { place } = state
  if (!place) return
  const done = await store.run(touchSession, place.key, [idleMs], call).catch((error) => {
    // A server that is full, or a replica for a while: what was only read is served, and the next request tries again.
    if (error?.code !== 'STORE_REJECTED') throw error
  })
  if (done === 1) state.place = { ...place, seenMs: now() }
  if (done === 0) state.endedElsewhere = true
}

/** Stores a new session, or a rotated one, under a new id. */
async function create(saving: Saving): Promise<string | undefined> {
  const { maker, state, call } = saving
  const { store, idleMs, absoluteMs } = maker
  const id = state.nextId || newId()
  const handle = digestOf(id)
  const key = maker.sessionKey(handle)
  const [allLines, { bound, ended }] = await Promise.all([linesOf(maker, key, saving.current), bind(saving)])
  // The subject of this rotated session was ended after the session was opened: nothing stored goes into the new session.
  const fresh = ended ? { ...saving, current: setFields(saving) } : saving
  const lines = ended ? await linesOf(maker, key, fresh.current) : allLines
  const { subject, generation } = bound ?? state
  const createdMs = ended ? 0 : state.createdMs
  const [reply] = await Promise.all([
    store.run(writeSession, key, [CREATE, idleMs, createdMs, absoluteMs, subject, generation, lines, ''], call),
    addToList(saving, subject, handle),
  ])
  if (reply === TOO_LARGE) throw tooLarge()
  // A rotated session is over if its absolute end has come, or if its old subject was ended while it was bound to a new one.
  if (reply !== WRITTEN || (bound && !ended && (await endIfEnded(saving, key, bound)))) {
    forget(state)
    return maker.cookies.clear()
  }
  noteSaved(fresh, { id, handle, key, seenMs: now() }, { subject, generation })
  return maker.cookies.write({ id, subject })
}

/** Changes a stored session. Its cookie is signed again, with the current secret. */
async function change(saving: Saving, place: NonNullable<State['place']>): Promise<string | undefined> {
  const { maker, state, call } = saving
  const { key, handle, id } = place
  const [lines, { bound, ended }] = await Promise.all([linesOf(maker, key, saving.changed), bind(saving)])
  const { subject, generation } = bound ?? { subject: '', generation: '' }
  const [reply] = ended
    ? [0]
    : await Promise.all([
        maker.store.run(
          writeSession,
          key,
          [CHANGE, maker.idleMs, 0, maker.absoluteMs, subject, generation, lines, state.generation],
          call,
        ),
        addToList(saving, subject, handle),
      ])
  if (reply === TOO_LARGE) throw tooLarge()
  if (reply === BOUND_OTHERWISE && (await readBinding(saving, key))) return change(saving, place)
  if (reply !== WRITTEN || (bound && (await endIfEnded(saving, key, bound)))) {
    state.endedElsewhere = true
    return undefined
  }
  noteSaved(saving, { ...place, seenMs: now() }, bound ?? state)
  return maker.cookies.write({ id, subject: state.subject })
}

/**
 * Captures the generation of the subject that the session will be bound to. `ended`: the subject that the session is bound to so
 * far was ended after the session was opened. Bound to a new generation, such a session would survive that.
 */
async function bind(saving: Saving): Promise<{ readonly bound: Binding | undefined; readonly ended: boolean }> {
  const { maker, state, newSubject, call } = saving
  if (newSubject === undefined) return { bound: undefined, ended: false }
  const { store, absoluteMs, generationKey } = maker
  const subject = subjectRef(newSubject)
  const args = [randomId(), absoluteMs + GENERATION_MARGIN_MS] as const
  const [generation, hadEnded] = await Promise.all([
    store.run(captureGeneration, generationKey(subject), args, call),
    state.subject !== subject && hasEnded(saving),
  ])
  const isNew = state.subject === subject && state.generation !== generation
  return { bound: { subject, generation }, ended: hadEnded || isNew }
}

/** Whether the subject of the session was ended after the session was opened. */
async function hasEnded({ maker: { store, generationKey }, state, call }: Saving): Promise<boolean> {
  const { subject, generation } = state
  return subject !== '' && (await store.get(generationKey(subject), call)) !== generation
}

/**
 * Deletes the written session if its old subject has ended; resolves to whether it has. The race: `bind` checks the old subject,
 * then `destroyAll` ends it, then the session is written. If the new subject is the same, the written session has the ended
 * generation and is not valid. If it is another subject, the session would survive, so the old subject is checked again.
 */
async function endIfEnded(saving: Saving, key: string, bound: Binding): Promise<boolean> {
  const { maker, state, call } = saving
  if (state.subject === '' || state.subject === bound.subject || !(await hasEnded(saving))) return false
  await maker.store.delete([key], call)
  return true
}

/** Reads the subject to which another request has bound the session meanwhile. Resolves to false if the session has ended. */
async function readBinding({ maker, state, call }: Saving, key: string): Promise<boolean> {
  const record = parseRecord(await maker.store.get(key, call))
  if (!record) return false
  state.subject = record.subject
  state.generation = record.generation
  return true
}

async function addToList(
  { maker: { store, absoluteMs, listKey }, device, call }: Saving,
  subject: string,
  handle: string,
): Promise<void> {
  if (subject) await store.run(listSession, listKey(subject), [handle, absoluteMs, device], call)
}

/** The fields that this request has set, without those that it deletes or has changed in place. */
function setFields({ changed }: Saving): ReadonlyMap<string, Field> {
  return new Map(
    [...changed].flatMap(([name, field]) => (field && !('isStored' in field) ? [[name, field] as const] : [])),
  )
}

/** The `changes` of `writeSession`: a line for each field; a name alone deletes it. */
async function linesOf(
  { fields }: SessionMaker,
  key: string,
  all: ReadonlyMap<string, Field | undefined>,
): Promise<string> {
  const lines = Array.from(all, async ([name, field]) => {
    if (!field) return name
    const stored = storedOf(field)
    // A field that only the schema has added is not stored.
    return stored === undefined ? '' : `${name}\t${await fields.encode(key, name, stored)}`
  })
  return (await Promise.all(lines)).join('\n')
}

function tooLarge(): HitherError {
  return new HitherError('VALUE_TOO_LARGE', `a session is at most ${MAX_SESSION_BYTES} bytes: nothing was stored`)
}

/** Updates the state after a save. Changes that were made while it was under way remain for the next save. */
function noteSaved(
  { state, changed, current, newSubject, snapshots }: Saving,
  place: NonNullable<State['place']>,
  { subject, generation }: Binding,
): void {
  forget(state)
  state.place = place
  state.subject = subject
  state.generation = generation
  state.stored = new Map(Array.from(current, ([name, field]) => [name, { raw: storedOf(field), value: field.value }]))
  for (const [name, text] of snapshots) if (current.has(name)) state.snapshots.set(name, text)
  for (const [name, field] of changed) if (state.changed.get(name) === field) state.changed.delete(name)
  if (state.newSubject === newSubject) state.newSubject = undefined
  state.clearCookie = false
}
