import { type ErrorCode, isHitherError } from '../../errors.ts'
import { NO_VALUE } from '../../protocol/entry.ts'
import { now } from '../../runtime/clock.ts'
import { random } from '../../runtime/random.ts'
import type { Flight, Format } from '../model.ts'
import { keepUnconfirmed } from '../open.ts'
import { isVersion } from '../steps/versions.ts'
import { commandCall, nothing, writeEntry } from '../store-calls.ts'
import { trackFill } from '../store-reads.ts'
import type { Coded, Life } from '../value-form.ts'
import { settle } from './background-work.ts'
import type { LoaderDecisions } from './types.ts'

/**
 * Stores the value of a load under the versions captured before its loader ran, and only while its lease is valid. A delete or
 * write in between removes the lease, so an old value cannot overwrite a newer one.
 */
export const fillEntry: Format['fill'] = async (flight, { coded, decisions, startedMs }) => {
  const { lease, dropCode, request, startNumber } = flight
  const { token, versions } = lease
  const { storedKey, settings, reading, view } = request
  const { core, emit, space } = view
  const dropped = (code: ErrorCode): void => emit({ type: 'write-dropped', code })
  const refused = (): void => emit({ type: 'fill-refused' })
  if (dropCode !== undefined) return dropCode ? dropped(dropCode) : undefined
  if (flight.isDetached) return refused()
  // A lease is taken together with the versions.
  if (!token || !versions) {
    await keepNear(flight, coded, decisions)
    return dropped('STORE_UNAVAILABLE')
  }
  const { tags, isComplete } = core.tags.stamp({
    captured: versions.tags,
    callTags: settings.options.tags ?? [],
    loaderTags: decisions.tags,
    keptBlock: (decisions.keepsPrevious && reading?.entry?.tags) || '',
    known(tag) {
      // The caller has read those of the entry before the load began, which may be longer ago than `recall` remembers.
      const read = reading?.tags.get(tag) ?? ''
      return core.versions.recall(space.tag(tag), startNumber) ?? (isVersion(read) ? read : undefined)
    },
  })
  // The version of a tag must outlive the entries stored under it. If this renewal fails it may not, and such an entry is a
  // miss.
  core.versions.renew(space, [...tags.keys()], commandCall(core), decisions.life.lifeMs).catch(nothing)
  const sentMs = now()
  const write = {
    verb: 'fill',
    // Where the version of a tag is missing, only the tag names are stored, without the value. The next load then captures
    // those tags before its loader runs.
    coded: isComplete ? coded : { mark: NO_VALUE, payload: '' },
    life: shortened(decisions.life, settings.options.jitter),
    versions: { generation: versions.generation, tags },
    loadMs: sentMs - startedMs,
    token,
  }
  const written = writeEntry(core, storedKey, write, commandCall(core)).then(
    (reply) => {
      if (Number(reply) > 1) core.clock.note(sentMs, Number(reply))
      if (reply === 0 || !isComplete) refused()
    },
    async (error: unknown) => {
      dropped(isHitherError(error) ? error.code : 'STORE_UNAVAILABLE')
      await core.format.leases.release(request, lease.token, { verb: 'fail' })
    },
  )
  trackFill(core, storedKey, written)
  return settle(view, written)
}

/** Puts the value of a load without a lease into the near tier, if the store has not replied since the load began. */
async function keepNear(flight: Flight, coded: Coded, { life, tags }: LoaderDecisions): Promise<void> {
  const { request, ticket, answerCount } = flight
  const { view, key, settings } = request
  // Once the store replies again, another process may have changed the key, so the value is no longer served.
  const stands = (): boolean => answerCount === view.core.answerCount
  const { schema } = settings
  if (stands())
    await keepUnconfirmed(view, key, { coded, life, tags: [...request.tags, ...tags], ticket, stands, schema })
}

export function shortened({ freshMs, lifeMs }: Life, jitter = 0): Life {
  const lessMs = Math.floor(freshMs * jitter * random())
  return { freshMs: freshMs - lessMs, lifeMs: lifeMs - lessMs }
}
