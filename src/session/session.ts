import { HitherError } from '../errors.ts'
import type { Call } from '../store/store.ts'
import { digestOf, newId } from './cookie.ts'
import { endEverywhere } from './end.ts'
import { FIELD, FLASH, fieldName, type OpenField, snapshotOf } from './fields.ts'
import type { SessionMaker } from './maker.ts'
import { rotateSession } from './operations.ts'
import { parseRecord } from './record.ts'
import { noteChangedInPlace, save } from './save.ts'
import { forget, type State } from './state.ts'
import type { Session } from './types.ts'

/** A stored session that was found by a request's cookie. */
export interface FoundSession {
  readonly id: string
  /** SHA-256 of the id: the name of the session in the store. */
  readonly handle: string
  readonly seenMs: number
  /** Reference to the subject; '' for none. */
  readonly subject: string
  /** The subject's generation when the session was bound; '' for none. */
  readonly generation: string
  readonly fields: ReadonlyMap<string, OpenField>
}

/**
 * The session of one request:
 *
 *   new ── save ──► stored ── destroy ──► new, and the cookie is cleared
 *                     └────── rotate ───► new, with the data and the start time of the old one
 *
 * `save` sends changes by field name, so that concurrent requests do not overwrite each other's fields. The store refuses the
 * changes if the session has ended meanwhile, so that an ended session is never created again.
 */
export function createSession<T>(maker: SessionMaker, device: string, found?: FoundSession): Session<T> {
  const { store, fields } = maker
  const state: State = {
    place: found && { ...found, key: maker.sessionKey(found.handle) },
    stored: found?.fields ?? new Map(),
    changed: new Map(),
    snapshots: new Map(),
    subject: found?.subject ?? '',
    generation: found?.generation ?? '',
    newSubject: undefined,
    createdMs: 0,
    nextId: '',
    clearCookie: false,
    endedElsewhere: false,
  }
  const { changed, snapshots } = state
  let queue: Promise<unknown> | undefined
  /** Runs `save`, `rotate` and `destroy` one after another. */
  const queued = <R>(work: () => Promise<R>): Promise<R> => {
    const next = queue ? queue.then(work) : work()
    const end = (): void => {
      if (queue === ended) queue = undefined
    }
    const ended = next.then(end, end)
    queue = ended
    return next
  }

  const read = (name: string): unknown => {
    const value = (changed.has(name) ? changed : state.stored).get(name)?.value
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
    const nextId = newId()
    const args = [digestOf(nextId), maker.idleMs] as const
    const record = parseRecord(await store.run(rotateSession, place.key, args, call))
    const kept = record && (await fields.open(place.key, record.fields))
    if (kept) noteChangedInPlace(state)
    // If another request has ended the session, its data and its subject are gone.
    forget(state)
    if (!record || !kept) return
    state.nextId = nextId
    state.stored = kept
    state.subject = record.subject
    state.generation = record.generation
    state.createdMs = record.createdMs
  }
  const methods: Omit<Session<T>, 'isNew'> = {
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
        // A session that was never stored, or that another request has ended, has no old id and no data to move.
        await takeOld(call)
        state.endedElsewhere = false
      }),
    destroy: (call) =>
      queued(async () => {
        const { place, nextId } = state
        if (place) await endEverywhere(maker, place.handle, call)
        changed.clear()
        state.newSubject = undefined
        forget(state)
        state.clearCookie = place !== undefined || nextId !== ''
      }),
    save: (call) => queued(() => save(maker, device, state, call)),
  }
  return Object.assign(new Newness(state), methods)
}

/**
 * A class because of its getter. For a getter in an object literal V8 makes a hidden class per object, which keeps all that the
 * getter reaches in memory until a full collection.
 */
class Newness {
  readonly #state: State
  constructor(state: State) {
    this.#state = state
  }
  get isNew(): boolean {
    return this.#state.place === undefined && !this.#state.nextId
  }
}
