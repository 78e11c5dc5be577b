import { type ErrorCode, HitherError, isHitherError } from '../../errors.ts'
import { decodeJson, encodeJson } from '../../protocol/codec.ts'
import { type Entry, NONE } from '../../protocol/entry.ts'
import { NEVER, now } from '../../runtime/clock.ts'
import type { AtomicStore } from '../../store/store.ts'
import { answerStep } from '../answer.ts'
import { shortened } from '../load/fill.ts'
import type { Format } from '../model.ts'
import { readPlain, writePlain } from '../steps/plain.ts'
import { ask, commandCall, onAnswer, writeEntry } from '../store-calls.ts'
import { beforeRead, readText, trackFill } from '../store-reads.ts'
import type { PlainFormat } from '../types.ts'
import type { Coded, ValueForm } from '../value-form.ts'
import { noLeases } from './no-leases.ts'

export type { PlainFormat } from '../types.ts'

/** The plain format: the key as given, JSON text as the value, and the lifetime kept by the server. */
export function plain(): PlainFormat {
  const format: Format & PlainFormat = {
    plain: true,
    level: 1,
    namespace: () => '',
    atomic(store) {
      if (typeof (store as Partial<AtomicStore>).run === 'function') return store as AtomicStore
      throw new HitherError('UNSUPPORTED', 'the plain format needs a store with operations')
    },
    storedKey: (_namespace, key) => key,
    parse,
    values,
    steps,
    verbs: steps,
    leases: noLeases,
    fill: fillPlain,
    known: { dead: '', generation: NONE, live: { id: '', tags: '' } },
    stamp: { versions: NO_VERSIONS, names: [], remembered: false },
    read: readValue,
    write: writeValue,
    timeLeft: (target) => answerStep(target, readPlain, ['ttl', '']),
  }
  return format
}

/** No step that writes a plain value may be sent again: the value has no id that would show whether the step has run. */
const steps: Format['steps'] = { read: readPlain, repeat: writePlain, once: writePlain }

const values: ValueForm = {
  marks: 'ij',
  encode(value): Coded {
    const coded = encodeJson(value, false, true)
    if (coded.mark === 'r') throw new HitherError('UNENCODABLE', 'the plain format keeps what JSON can, no more')
    return coded
  },
  decode: ({ payload, mark }) => decodeJson(payload, mark),
}

const ENTRY = {
  mark: 'j',
  id: '',
  // Not known. With `NEVER` its age is 0.
  writtenMs: NEVER,
  loadMs: 0,
  freshUntilMs: NEVER,
  hasGrace: false,
  expiresMs: NEVER,
  lease: NONE,
  generation: NONE,
  tags: '',
}
const parse = (payload: string): Entry => ({ ...ENTRY, payload })
const NO_VERSIONS = { generation: NONE, tags: new Map<string, string>() }

const readValue: NonNullable<Format['read']> = async ({ core }, storedKey, queued) => {
  const since = { atMs: now(), ticket: core.near.begin() }
  const text = await readText(core, storedKey, queued)
  onAnswer(core)
  const entry = text === undefined ? undefined : parse(text)
  const status = entry ? 'fresh' : 'absent'
  return { entry, status, dead: '', ...NO_VERSIONS, ...since }
}

/** Writes with SET, which needs no script and replaces any value. `add` needs its step. */
const writeValue: NonNullable<Format['write']> = (core, key, { verb, coded, life }, call) => {
  if (verb === 'add') return undefined
  const set = (): Promise<void> => core.store.set(key, coded.payload, life.lifeMs || undefined, call)
  return core.near.withInvalidation([key], 'writes', () => ask(core, [key], set, call).then(() => 1))
}

/**
 * Stores a loaded value. A plain key has no lease by which the store could refuse this write after a later one, so this
 * process waits for earlier writes, and makes later ones wait for this.
 */
const fillPlain: Format['fill'] = async (flight, { coded, decisions }) => {
  const { request, dropCode } = flight
  const { storedKey, settings, view } = request
  const { core, emit } = view
  const dropped = (code: ErrorCode): void => emit({ type: 'write-dropped', code })
  if (dropCode !== undefined) return dropCode ? dropped(dropCode) : undefined
  // Wait for the writes that came before this one.
  for (let before = beforeRead(core, storedKey); before; before = beforeRead(core, storedKey)) await before
  if (flight.isDetached) return emit({ type: 'fill-refused' })
  const life = shortened(decisions.life, settings.options.jitter)
  const write = { verb: 'fill', coded, life, versions: NO_VERSIONS }
  const written = writeEntry(core, storedKey, write, commandCall(core)).then(
    () => {},
    (error: unknown) => dropped(isHitherError(error) ? error.code : 'STORE_UNAVAILABLE'),
  )
  trackFill(core, storedKey, written)
  // This write could reach the store after a later one, so a later one waits for it (`detach`).
  flight.fill = written
  await written
}
