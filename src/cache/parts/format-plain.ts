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

/** JSON text under the key as given; the server keeps the lifetime. */
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

/** No step of a plain value may be sent again. */
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
  // By no clock: its age is 0.
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

/** By SET, which needs no script, whatever is there. */
const writeValue: NonNullable<Format['write']> = (core, key, { verb, coded, life }, call) => {
  if (verb === 'add') return undefined
  const set = (): Promise<void> => core.store.set(key, coded.payload, life.lifeMs || undefined, call)
  return core.near.withInvalidation([key], 'writes', () => ask(core, [key], set, call).then(() => 1))
}

/** Stores what a load has returned. A plain key has no lease by which the store would refuse this write. */
const fillPlain: Format['fill'] = async (flight, { coded, decisions }) => {
  const { request, dropCode } = flight
  const { storedKey, settings, view } = request
  const { core, emit } = view
  const dropped = (code: ErrorCode): void => emit({ type: 'write-dropped', code })
  if (dropCode !== undefined) return dropCode ? dropped(dropCode) : undefined
  // Writes that came first end before it.
  for (let before = beforeRead(core, storedKey); before; before = beforeRead(core, storedKey)) await before
  if (flight.isDetached) return emit({ type: 'fill-refused' })
  const life = shortened(decisions.life, settings.options.jitter)
  const write = { verb: 'fill', coded, life, versions: NO_VERSIONS }
  const written = writeEntry(core, storedKey, write, commandCall(core)).then(
    () => {},
    (error: unknown) => dropped(isHitherError(error) ? error.code : 'STORE_UNAVAILABLE'),
  )
  trackFill(core, storedKey, written)
  // It could land after a later write: that one waits for it (`detach`).
  flight.fill = written
  await written
}
