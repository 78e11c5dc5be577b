import { HitherError, isHitherError } from '../../src/errors.ts'
import { toBase64Url } from '../../src/protocol/digest.ts'
import type { CallLimits } from '../../src/store/swap.ts'
import { bytesOf } from './bytes.ts'
import { call } from './calls.ts'
import { createLink, type Link } from './link.ts'
import type { Checked } from './options.ts'
import type { Command, Place } from './request.ts'
import { createRing } from './ring.ts'
import { wireKey } from './wire.ts'

export interface Client {
  readonly servers: readonly string[]
  /** Rejects as `call` of `calls.ts` does. */
  ask<T>(place: Place, command: Command<T>, limits: CallLimits): Promise<T>
  /** Index in `servers` of the server that holds the key. */
  serverOf(key: string): number
  placeOf(key: string): Place | Promise<Place>
  close(): void
}

export function createClient({ links: settings, failover, idleMs }: Checked): Client {
  const names = settings.map(({ address }) => address.name)
  const links = settings.map((each) => createLink(each, idleMs))
  const ring = createRing(names)

  const serverOf = (key: string): number => {
    if (!failover) return ring.pick(key)
    return ring.pick(key, (server) => links[server]?.isDown() === true)
  }
  const ask: Client['ask'] = (place, command, limits) => {
    const asked = call(place, command, limits, links[place.server] as Link)
    return failover && place.ringKey !== undefined
      ? asked.catch((error: unknown) => askNext(place, command, limits, error))
      : asked
  }
  /** Sends a call to the next server if its own was down and the call has certainly not run. Otherwise throws `error`. */
  const askNext = <T>(place: Place, command: Command<T>, limits: CallLimits, error: unknown): Promise<T> => {
    const server = serverOf(place.ringKey ?? '')
    const hasRun = !isHitherError(error) || error.code !== 'STORE_UNAVAILABLE' || error.maybeExecuted
    if (hasRun || server === place.server) throw error
    return ask({ ...place, server }, command, limits)
  }
  return {
    servers: names,
    serverOf,
    ask,
    placeOf(key) {
      const wire = wireKey(key)
      if (wire) return { text: wire.text, flag: wire.flag, server: serverOf(key), ringKey: key, hashedKey: '' }
      return hashedName(key).then((text) => ({ text, flag: '', server: serverOf(text), ringKey: text, hashedKey: key }))
    },
    close() {
      for (const link of links) link.close(new HitherError('CLOSED', 'the store is closed'))
    },
  }
}

const HASHED = '~sha256:'
/** Whether the name may be the digest of a key. */
export const isHashedName = (name: string): boolean => name.startsWith(HASHED) && name.length === HASHED.length + 43

/** The name under which a key is stored that is too long for a command. The key itself is stored beside the value. */
async function hashedName(key: string): Promise<string> {
  return `${HASHED}${toBase64Url(new Uint8Array(await crypto.subtle.digest('SHA-256', bytesOf(key))))}`
}
