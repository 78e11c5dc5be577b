import { HitherError } from '../../src/errors.ts'
import { bytesOf } from './bytes.ts'

/** What a url of a memcached says. */
export interface MemcachedAddress {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  /** Empty where the url names none. */
  readonly username: string
  readonly password: string
  /** As other clients name the server when they place keys: without the default port. */
  readonly name: string
}

const DEFAULT_PORT = 11_211

/** Reads `memcached://user:password@host:11211`, or `memcacheds:` for TLS. Throws `INVALID_URL`, without the text. */
export function parseMemcachedUrl(text: string): MemcachedAddress {
  const [, secure, rest] = /^memcached(s?):\/\/([^\s/?#]+)\/?$/i.exec(typeof text === 'string' ? text.trim() : '') ?? []
  try {
    // As a url that every runtime knows: some know no port of another kind.
    const url = new URL(`http://${rest ?? ''}`)
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const port = /:\d+$/.test(rest as string) ? Number(url.port || 80) : DEFAULT_PORT
    const username = decodeURIComponent(url.username)
    const password = decodeURIComponent(url.password)
    const name = port === DEFAULT_PORT ? host : `${host}:${port}`
    if (rest && host && port > 0) return { host, port, tls: secure !== '', username, password, name }
  } catch {
    // Said below, without the text: it may hold a password.
  }
  throw new HitherError('INVALID_URL', 'a memcached url looks like memcached://host:11211, or memcacheds:// for TLS')
}

/** The command by which a user logs in. */
export function loginOf({ username, password }: MemcachedAddress): readonly (string | Uint8Array)[] {
  const secret = bytesOf(`${username} ${password}`)
  return [`set login 0 0 ${secret.length}\r\n`, secret, '\r\n']
}
