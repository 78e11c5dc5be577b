import { HitherError } from '../../src/errors.ts'
import { bytesOf } from './bytes.ts'

/** The parts of a memcached url. */
export interface MemcachedAddress {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  /** Empty where the url names none. */
  readonly username: string
  readonly password: string
  /** The name by which other clients of memcached place keys on the server: the host, and the port unless it is the default. */
  readonly name: string
}

const DEFAULT_PORT = 11_211

/** Reads `memcached://user:password@host:11211`, or `memcacheds:` for TLS. Throws `INVALID_URL`, without the text. */
export function parseMemcachedUrl(text: string): MemcachedAddress {
  const [, secure, rest] = /^memcached(s?):\/\/([^\s/?#]+)\/?$/i.exec(typeof text === 'string' ? text.trim() : '') ?? []
  try {
    // Parsed as an http url, because some runtimes parse no port in a scheme they do not know.
    const url = new URL(`http://${rest ?? ''}`)
    const host = url.hostname.replace(/^\[|\]$/g, '')
    const port = /:\d+$/.test(rest as string) ? Number(url.port || 80) : DEFAULT_PORT
    const username = decodeURIComponent(url.username)
    const password = decodeURIComponent(url.password)
    const name = port === DEFAULT_PORT ? host : `${host}:${port}`
    if (rest && host && port > 0) return { host, port, tls: secure !== '', username, password, name }
  } catch {
    // The error below leaves out the text, which may hold a password.
  }
  throw new HitherError('INVALID_URL', 'a memcached url looks like memcached://host:11211, or memcacheds:// for TLS')
}

/**
 * The command that logs a user in. A server without users stores it like any other value: it ends at once there, and no key of a
 * store has this name.
 */
export function loginOf({ username, password }: MemcachedAddress): readonly (string | Uint8Array)[] {
  const secret = bytesOf(`${username} ${password}`)
  return [`set :hither:login 0 -1 ${secret.length}\r\n`, secret, '\r\n']
}
