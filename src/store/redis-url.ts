import { HitherError } from '../errors.ts'

/** What a Redis url says. */
export interface RedisAddress {
  readonly host: string
  readonly port: number
  readonly db: number
  /** Empty where the url names none, as is the password. */
  readonly username: string
  readonly password: string
  readonly tls: boolean
}

/** Reads `redis://user:password@host:6379/0`, `rediss:` for TLS, or the same with `valkey`. Throws `INVALID_URL`, without the text. */
export function parseRedisUrl(text: string): RedisAddress {
  let url: URL | undefined
  let username = ''
  let password = ''
  try {
    const parsed = new URL(text.trim())
    username = decodeURIComponent(parsed.username)
    password = decodeURIComponent(parsed.password)
    url = parsed
  } catch {
    // said below, without the text: it may hold a password
  }
  const db = url?.pathname.slice(1) ?? ''
  if (!url || !/^(redis|valkey)s?:$/.test(url.protocol) || !url.hostname || !/^\d*$/.test(db)) {
    throw new HitherError(
      'INVALID_URL',
      'a Redis url looks like redis://user:password@host:6379/0, or rediss:// for TLS',
    )
  }
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || 6379),
    db: Number(db),
    username,
    password,
    tls: url.protocol.endsWith('ss:') || url.protocol === 'valkeys:',
  }
}
