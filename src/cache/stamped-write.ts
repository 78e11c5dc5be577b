import { HitherError, isHitherError } from '../errors.ts'
import { NONE } from '../protocol/entry.ts'
import type { Reply } from '../protocol/operation.ts'
import { type Limit, within } from '../runtime/deadline.ts'
import { randomId } from '../runtime/random.ts'
import { type Coded, type Core, invalid, type Life, nothing } from './core.ts'
import type { Captured, SetOptions } from './types.ts'
import { CAPTURED_MS, type Context, checkTags, formatTags, type Space } from './versions.ts'

/** The versions that a write is stamped with. */
export interface Stamp {
  readonly context: Context
  /** The tags whose versions are renewed with the write; their versions were captured by this call, if there are none. */
  readonly names: readonly string[]
  /** The versions come from memory: another process may have ended them before this call began. */
  readonly remembered: boolean
}

/** What `capture` returns carries the versions under this, and the epoch they are of. */
const VERSIONS = Symbol('versions')
const EPOCH = Symbol('epoch')
interface CapturedVersions extends Captured {
  readonly [VERSIONS]: Context
  readonly [EPOCH]: number
}

/** The epoch of what `capture` returned; undefined for names. */
export function epochOf(tags: SetOptions['tags']): number | undefined {
  return (tags as CapturedVersions | undefined)?.[EPOCH]
}

/** What one kind of call needs of its view: the answer of the store, counted, and ended with the caller. */
export type Ask = <T>(answer: Promise<T>, limit: Limit) => Promise<T>

export interface Stamps {
  capture(tags: readonly string[], limit: Limit): Promise<Captured>
  /** The versions that `names` and the namespace have now. */
  current(names: readonly string[], lifeMs: number, limit: Limit): Promise<Context>
  /** What is written now is valid under. At once where the last five seconds have shown every version. */
  of(tags: SetOptions['tags'], life: Life, limit: Limit): Stamp | Promise<Stamp>
  /**
   * Writes one entry by `set` or `add` (`deadId`: the id that it may replace). Where the versions it was stamped with were
   * no longer current when the call began, writes it once more over itself. Resolves to 1, or 0 where `add` found an entry.
   */
  write(to: string, coded: Coded, life: Life, stamp: Stamp, limit: Limit, deadId?: string): Promise<Reply>
  /** Has tags live as long as an entry of this life, in the same wave as `writing`, which extends one. */
  extend<T>(writing: Promise<T>, names: readonly string[], lifeMs: number, limit: Limit): Promise<T>
}

/**
 * Writes that are there once they are acknowledged. A write is stamped with versions that were seen up to five seconds ago,
 * so that it takes one round trip. Another process may have ended them before the call began (`clear`, `invalidateTags`, an
 * eviction): the entry would be dead on arrival. So the wave that writes also reads the versions, and where they differ
 * the entry is written once more under those that were read. It replaces what this call has written and nothing else:
 * what another call has put there since came later.
 */
export function createStamps(core: Core, space: Space, ask: Ask): Stamps {
  const { versions, plain } = core
  // Other callers may share what is asked for: it is bound by no caller's limit.
  const current: Stamps['current'] = (names, lifeMs, limit) =>
    within(ask(versions.capture(space, names, core.call(), { lifeMs }), limit), limit)

  /** The write has run. What fails after it leaves open whether its entry is valid. */
  const afterWrite = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (error) {
      if (!isHitherError(error)) throw error
      const { code, message, retryable } = error
      throw new HitherError(code, message, { cause: error, retryable, maybeExecuted: true })
    }
  }

  const extend: Stamps['extend'] = async (writing, names, lifeMs, limit) => {
    const renewing =
      names.length > 0 ? within(ask(versions.renew(space, names, core.call(), lifeMs), limit), limit) : undefined
    renewing?.catch(nothing)
    const written = await writing
    if (written === 1 && renewing) await afterWrite(renewing)
    return written
  }

  return {
    current,
    extend,
    async capture(tags, limit) {
      const names = checkTags(tags)
      const { epoch } = versions
      return { tags: names, [VERSIONS]: await current(names, CAPTURED_MS, limit), [EPOCH]: epoch } as CapturedVersions
    },
    of(tags = [], { lifeMs }, limit) {
      if (plain) return { context: { generation: NONE, tags: new Map() }, names: [], remembered: false }
      if (typeof tags === 'object' && 'tags' in tags) {
        const context = (tags as CapturedVersions)[VERSIONS]
        if (!context) throw invalid('tags takes names, or what capture() answered')
        return { context, names: checkTags(tags.tags, lifeMs), remembered: false }
      }
      const names = checkTags(tags, lifeMs)
      const context = versions.recallAll(space, names)
      if (context) return { context, names, remembered: true }
      return current(names, lifeMs, limit).then((context) => ({ context, names: [], remembered: false }))
    },
    async write(to, coded, life, { context, names, remembered }, limit, deadId) {
      const verb = deadId === undefined ? 'set' : 'add'
      const send = (verb: string, context: Context, id: string, over = ''): Promise<Reply> =>
        ask(core.write(verb, to, coded, life, context, core.call(limit), 0, NONE, over, id), limit)
      const id = randomId()
      const reading = remembered ? current(names, life.lifeMs, limit) : undefined
      reading?.catch(nothing)
      const writing = send(verb, context, id, deadId)
      const written = await (remembered ? writing : extend(writing, names, life.lifeMs, limit))
      const now = reading && written === 1 ? await afterWrite(reading) : context
      const isSame = now.generation === context.generation && formatTags(now.tags) === formatTags(context.tags)
      if (!isSame) await afterWrite(send('rewrite', now, randomId(), id))
      return written
    },
  }
}
