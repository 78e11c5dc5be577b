import { HitherError } from '../errors.ts'

/** The parts of a Redis url. */
export interface RedisAddress {
  readonly host: string
  readonly port: number
  /** Path of a Unix socket, in place of host and port; empty without one. */
  readonly path: string
  /** The version of IP to use; 0: either. */
  readonly family: number
  readonly db: number
  /** Empty if the url names no user; `password` likewise. A user without a password logs in with an empty one. */
  readonly username: string
  readonly password: string
  readonly tls: boolean
}

const FORM = 'redis://user:password@host:6379/0, rediss:// for TLS, or unix:///path/to/socket'
/** Parameters of other clients, which an error message may name. Any other name could be part of a password. */
const ELSEWHERE =
  /^(user|username|password|pass|auth|host|port|path|ssl|ssl_\w+|sslmode|timeout|\w+_timeout|\w+Timeout|max_connections|protocol|keyPrefix|name|encoding|decode_responses|pool\w*|\w+Pool\w*|addr|client\w*|read\w*|tls\w+)$/

function invalid(what: string): HitherError {
  return new HitherError('INVALID_URL', what)
}

/** Splits a list of urls at its commas. A comma inside a url, as in a password, stays part of the url. */
export function splitRedisUrls(text: string): string[] {
  return text.split(/,(?=\s*(?:redis|valkey)s?:)/)
}

/**
 * Reads `redis://user:password@host:6379/0`, `rediss:` for TLS, or the same with `valkey`; and `unix:///path`, with
 * `user:password@` before the path. Parameters: `db`, `family` (4 or 6), `tls` (`true` or `false`). Throws `INVALID_URL`
 * for any other form or parameter and for a fragment, without quoting the url.
 */
export function parseRedisUrl(text: string): RedisAddress {
  const trimmed = typeof text === 'string' ? text.trim() : ''
  if (trimmed.includes('#')) throw invalid('a Redis url has no fragment: write %23 for # in a user name or password')
  // `URL` takes a user only with a host, and a socket has none: it is given one.
  const socket = /^unix:(?:\/\/([^/@]*@)?)?(\/(?!\/)[^?]+)(.*)$/.exec(trimmed)
  let url: URL
  let username: string
  let password: string
  let path: string
  try {
    url = new URL(socket ? `redis://${socket[1] ?? ''}socket${socket[3]}` : trimmed)
    username = decodeURIComponent(url.username)
    password = decodeURIComponent(url.password)
    path = decodeURIComponent(socket?.[2] ?? '')
  } catch {
    // The message does not quote the url, which may hold a password.
    throw invalid(`a Redis url looks like ${FORM}`)
  }
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const inPath = url.pathname.slice(1)
  if (!/^(redis|valkey)s?:$/.test(url.protocol) || !host || host.includes(',') || !/^\d*$/.test(inPath)) {
    throw invalid(`a Redis url looks like ${FORM}`)
  }
  const given = parametersOf(url)
  if (given.db !== undefined && inPath && Number(inPath) !== Number(given.db)) {
    throw invalid('the url names two databases, in its path and as db')
  }
  const secure = url.protocol.endsWith('ss:') || url.protocol === 'valkeys:'
  if ((secure && given.tls === 'false') || (socket && given.tls === 'true')) {
    throw invalid('the url asks for TLS and for none')
  }
  return {
    host: socket ? '' : host,
    port: Number(url.port || 6379),
    path,
    family: Number(given.family ?? 0),
    db: Number(given.db ?? inPath),
    username,
    password,
    tls: secure || given.tls === 'true',
  }
}

const FORMS: Readonly<Record<string, RegExp>> = { db: /^\d{1,9}$/, family: /^[046]$/, tls: /^(true|false)$/ }

function parametersOf({ searchParams }: URL): {
  readonly db?: string
  readonly family?: string
  readonly tls?: string
} {
  const given: Record<string, string> = {}
  for (const [name, value] of searchParams) {
    const form = Object.hasOwn(FORMS, name) ? FORMS[name] : undefined
    if (!form) {
      const known = ELSEWHERE.test(name) ? `${name} is none of them` : 'write %3F for ? in a user name or password'
      throw invalid(`a Redis url takes the parameters db, family and tls: ${known}`)
    }
    if (!form.test(value) || given[name] !== undefined) throw invalid(`${name} of the url makes no sense`)
    given[name] = value
  }
  return given
}
