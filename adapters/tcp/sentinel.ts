import { HitherError } from '../../src/errors.ts'
import { now } from '../../src/runtime/clock.ts'
import type { RedisAddress } from '../../src/store/redis-url.ts'
import { createCalls } from './calls.ts'
import { openConnection } from './connection.ts'
import type { Settings } from './settings.ts'

/** How long to wait for one Sentinel before asking the next, in milliseconds. */
const ASK_MS = 1000

/**
 * Asks the Sentinels, one after another, for the address of the primary called `name`. Begins with the one that knew it last
 * time. Rejects with `STORE_UNAVAILABLE` if none knows. `primary` has the credentials and the database.
 * https://redis.io/docs/latest/develop/reference/sentinel-clients/
 */
export function createLocator(
  sentinels: readonly RedisAddress[],
  name: string,
  primary: RedisAddress,
  settings: Settings,
): () => Promise<RedisAddress> {
  let order = [...sentinels]
  return async () => {
    let fault: unknown
    for (const sentinel of order) {
      try {
        const found = await askSentinel({ ...settings, address: sentinel, protocol: 2 }, name)
        if (!found) continue
        order = [sentinel, ...order.filter((other) => other !== sentinel)]
        return { ...primary, ...found }
      } catch (error) {
        fault = error
      }
    }
    const cause = fault === undefined ? {} : { cause: fault }
    const why = fault === undefined ? 'no Sentinel knows a primary of this name' : 'no Sentinel answered'
    throw new HitherError('STORE_UNAVAILABLE', `${why}: check sentinel.urls and sentinel.name`, {
      retryable: true,
      ...cause,
    })
  }
}

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
    if (!Array.isArray(reply)) return undefined
    return { host: String(reply[0]), port: Number(reply[1]) }
  } finally {
    void connection.leave(0)
  }
}
