import { HitherError, StoreRejectedError } from '../../src/errors.ts'
import { now } from '../../src/runtime/clock.ts'
import type { RedisAddress } from '../../src/store/redis-url.ts'
import { ReplyError } from '../../src/store/transport.ts'
import { createCalls } from './calls.ts'
import { openConnection } from './connection.ts'
import type { FoundAddress, Settings } from './settings.ts'

/** How long to wait for one Sentinel before asking the next, in milliseconds. */
const ASK_MS = 1000

/**
 * Asks the Sentinels, one after another, for the address of the primary called `name`. Begins with the one that knew it last
 * time, unless that one named a wrong server. Rejects with `UNAUTHORIZED` if none knows and one of them refuses the credentials,
 * otherwise with `STORE_UNAVAILABLE`. `primary` has the credentials and the database.
 * https://redis.io/docs/latest/develop/reference/sentinel-clients/
 */
export function createLocator(
  sentinels: readonly RedisAddress[],
  name: string,
  primary: RedisAddress,
  settings: Settings,
): () => Promise<FoundAddress> {
  let order = [...sentinels]
  /** Asks this Sentinel last from now on. */
  const putLast = (sentinel: RedisAddress): void => {
    order = [...order.filter((other) => other !== sentinel), sentinel]
  }
  return async () => {
    let fault: unknown
    for (const sentinel of order) {
      try {
        const found = await askSentinel({ ...settings, address: sentinel, protocol: 2 }, name)
        if (found) return { ...primary, ...found, onMisled: () => putLast(sentinel) }
      } catch (error) {
        fault = isRefusal(fault) ? fault : error
      }
      putLast(sentinel)
    }
    if (isRefusal(fault)) {
      throw new HitherError('UNAUTHORIZED', 'a Sentinel refused the credentials: check those in sentinel.urls', {
        cause: fault,
      })
    }
    const cause = fault === undefined ? {} : { cause: fault }
    const why = fault === undefined ? 'no Sentinel knows a primary of this name' : 'no Sentinel answered'
    throw new HitherError('STORE_UNAVAILABLE', `${why}: check sentinel.urls and sentinel.name`, {
      retryable: true,
      ...cause,
    })
  }
}

const isRefusal = (fault: unknown): boolean => fault instanceof HitherError && fault.code === 'UNAUTHORIZED'

/** Resolves to undefined if this Sentinel knows no primary of this name. */
async function askSentinel(
  settings: Settings,
  name: string,
): Promise<{ readonly host: string; readonly port: number } | undefined> {
  let fault: HitherError | undefined
  const connection = openConnection(settings, {
    onEnd(error) {
      fault = error
    },
  })
  const pick = (): typeof connection => {
    if (fault) throw fault
    return connection
  }
  try {
    const args = ['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name]
    const reply = await createCalls(pick, false).send({ args, effect: 'read' }, { deadline: now() + ASK_MS })
    if (reply instanceof ReplyError && reply.word === 'NOPERM') throw new StoreRejectedError('SENTINEL', reply)
    if (!Array.isArray(reply)) return undefined
    return { host: String(reply[0]), port: Number(reply[1]) }
  } finally {
    void connection.leave(0)
  }
}
