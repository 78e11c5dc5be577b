import { invalid } from '../protocol/arguments.ts'
import { toMs } from '../protocol/duration.ts'
import type { ReadChunk } from './answer.ts'
import { type Directives, parseDirectives } from './directives.ts'
import type { Place } from './place.ts'
import type { HttpCacheContext, HttpRule, NextHandler } from './types.ts'
import { needsOrigin } from './validate.ts'

/** A request, with its handler, its context and the first rule that matches it. */
export interface Visit {
  readonly request: Request
  readonly next: NextHandler
  readonly context: HttpCacheContext
  readonly rule: HttpRule | undefined
}

/** A request that may be served from the store, with everything that is known before the store is read. */
export interface Plan extends Visit {
  readonly place: Place
  readonly directives: Directives
  /** It has a cookie that identifies the user. */
  readonly hasIdentity: boolean
  /** `seenUs` of `Found`, after the store was read. */
  readonly seenUs?: number
  /** The first chunk of the stored body, if it was read before the origin is asked. */
  readonly first?: ReadChunk
}

/** The first rule that matches a request. */
export function ruleFor(rules: readonly HttpRule[], request: Request): HttpRule | undefined {
  return rules.find(({ match }) => {
    if (match === undefined) return true
    if (typeof match === 'function') return match(request)
    const { pathname } = new URL(request.url)
    return match.endsWith('*') ? pathname.startsWith(match.slice(0, -1)) : pathname === match
  })
}

/** Whether a request has a cookie that identifies the user. `everyCookie`: if the rule names no cookies, any cookie counts. */
export function hasIdentity(headers: Headers, rule: HttpRule | undefined, everyCookie: boolean): boolean {
  const text = headers.get('cookie')
  if (text === null) return false
  const names = rule?.cookies
  if (!names) return everyCookie
  // Several Cookie lines are joined by a comma in some runtimes.
  return text.split(/[;,]/).some((pair) => names.includes((pair.split('=', 1)[0] as string).trim()))
}

/** The listed hosts in the spelling of URLs, with their ports if they have one. Throws `INVALID_ARGUMENT` for what is no host. */
export function hostsOf(hosts: readonly string[]): ReadonlySet<string> {
  return new Set(
    hosts.map((host) => {
      const url = `http://${host}`
      if (/[\s/?#@*\\]/.test(host) || !URL.canParse(url)) throw invalid('hosts are such as a.example or a.example:8443')
      const [, port] = /:(\d+)$/.exec(host) ?? []
      return new URL(url).hostname + (port ? `:${Number(port)}` : '')
    }),
  )
}

/** Whether the host of a URL is listed. A URL leaves out the default port of its scheme; the list may have it. */
const isListed = (hosts: ReadonlySet<string>, { host, port, protocol }: URL): boolean =>
  hosts.has(host) || (!port && hosts.has(`${host}:${protocol === 'http:' ? 80 : 443}`))

/** Why a request bypasses the cache and goes to the origin; undefined if it does not. */
export function bypassReason(
  request: Request,
  rule: HttpRule | undefined,
  hosts: ReadonlySet<string> | undefined,
): 'rule' | 'host' | 'condition' | 'body' | 'upgrade' | undefined {
  if (hosts && !isListed(hosts, new URL(request.url))) return 'host'
  if (rule?.bypass?.(request)) return 'rule'
  // The key ignores bodies: the response to a GET with a body would be served to others. A `Request` for GET has no body by then,
  // so only its fields show that there was one.
  const length = request.headers.get('content-length')
  if (request.headers.has('transfer-encoding') || (length !== null && length !== '0')) return 'body'
  if (/websocket/i.test(request.headers.get('upgrade') ?? '')) return 'upgrade'
  return needsOrigin(request.headers) ? 'condition' : undefined
}

/** The lifetimes of a rule in milliseconds. */
export function timesOf(rule: HttpRule | undefined): {
  readonly ttlMs: number | undefined
  readonly negativeMs: (status: number) => number | undefined
} {
  const { ttl, negative } = rule ?? {}
  return {
    ttlMs: ttl === undefined ? undefined : toMs(ttl, 'ttl'),
    negativeMs(status) {
      const duration = status >= 400 ? negative?.[status] : undefined
      return duration === undefined ? undefined : toMs(duration, 'negative')
    },
  }
}

export const directivesOf = (request: Request): Directives => parseDirectives(request.headers.get('cache-control'))
