import { tell } from '../runtime/listener.ts'
import type { GatewayRequest } from './messages.ts'
import type { GatewayEvent, GatewayOptions } from './options.ts'
import { Refusal } from './refusal.ts'
import { createGrants, type Grant } from './tokens.ts'

/** Who sent a request. */
export interface Caller {
  readonly token: string
  readonly grant: Grant
  /** Whether a page of another site sent the request, with the token in its url. Such a request may only read. */
  readonly readsOnly: boolean
}

export interface Access {
  /** Returns the rights by token, for the tokens as they are now. It is the same function until the tokens change. */
  grants(): (token: string) => Grant | undefined
  /** Throws a `Refusal` with status 401. */
  callerOf(request: GatewayRequest, query: string): Caller
}

/** Throws `INVALID_ARGUMENT` if the first tokens make no sense. Later bad lists are events, and the last good list stays. */
export function createAccess({ tokens, queryToken = false, onEvent }: GatewayOptions): Access {
  const read = typeof tokens === 'function' ? tokens : () => tokens
  let list = read()
  let grantOf = createGrants(list)
  const grants: Access['grants'] = () => {
    try {
      const latest = read()
      if (latest === list) return grantOf
      list = latest
      grantOf = createGrants(latest)
    } catch (error) {
      tell<GatewayEvent>(onEvent, { type: 'tokens-refused', reason: (error as Error).message })
    }
    return grantOf
  }
  return {
    grants,
    callerOf(request, query) {
      const [, bearer] = /^Bearer (.+)$/i.exec(request.header('authorization') ?? '') ?? []
      const token = bearer ?? (queryToken && new URLSearchParams(query).get('_token')) ?? ''
      const grant = token ? grants()(token) : undefined
      if (!token || !grant) throw new Refusal(401, 'WRONGPASS invalid or missing auth token')
      const readsOnly = bearer === undefined && request.header('sec-fetch-site') === 'cross-site'
      return { token, grant, readsOnly }
    },
  }
}

/** Counts how much each token holds of a bound that all tokens share. */
export interface Shares {
  /** How much all tokens hold together. */
  readonly used: number
  /** Returns false if there is no room, or the token would hold more than `most`. By default `most` is the token's share. */
  take(caller: { readonly token: string; readonly grant: Grant }, amount: number, most: number | undefined): boolean
  give(token: string, amount: number): void
}

/** The share of a single token is the whole bound; of several, each may have half, so that none shuts out the others. */
export function createShares(all: number): Shares {
  const byToken = new Map<string, number>()
  let used = 0
  return {
    get used() {
      return used
    },
    take({ token, grant }, amount, most = grant.alone ? all : Math.ceil(all / 2)) {
      const own = (byToken.get(token) ?? 0) + amount
      if (used + amount > all || own > most) return false
      used += amount
      byToken.set(token, own)
      return true
    },
    give(token, amount) {
      const own = (byToken.get(token) ?? 0) - amount
      used -= amount
      if (own > 0) byToken.set(token, own)
      else byToken.delete(token)
    },
  }
}
