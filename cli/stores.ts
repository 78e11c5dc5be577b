import { type AtomicStore, HitherError, type Store, type StoreEvent } from 'hither'

/** Names of the variables that may hold a token for REST, in the order in which they are tried. */
export interface Tokens {
  readonly names: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
}

/** The store of a url, and what the commands must know about its server. */
export interface OpenedStore {
  readonly store: AtomicStore
  /** The part of the url that may be shown, such as `127.0.0.1:6379`. */
  readonly place: string
  readonly kind: 'redis' | 'rest' | 'memcached' | 'nats'
  /** Whether operations have run under WATCH, because scripts are refused or not atomic. */
  usesWatch?(): boolean
}

type Open = (url: string, tokens: Tokens) => Promise<Omit<OpenedStore, 'place'>>

const redis: Open = async (url) => {
  const { tcpStore } = await import('hither/tcp')
  let isWatching = false
  const onEvent = ({ type }: StoreEvent): void => {
    isWatching ||= type === 'no-scripts'
  }
  return { store: tcpStore({ url, timeoutMs: 5000, onEvent }), kind: 'redis', usesWatch: () => isWatching }
}
const memcached: Open = async (url) => {
  const { memcachedStore } = await import('hither/memcached')
  return { store: memcachedStore({ servers: url.split(',') }), kind: 'memcached' }
}
const rest: Open = async (url, { names, env }) => {
  const { upstashStore } = await import('hither/upstash')
  const token = names.map((name) => env[name]).find(Boolean)
  if (!token) throw new HitherError('MISSING_CREDENTIALS', `no token: set ${names[0]}`)
  return { store: upstashStore({ url, token, timeoutMs: 10_000 }), kind: 'rest' }
}
export interface NatsParts {
  readonly servers: string
  readonly bucket: string
  readonly connect: { readonly user?: string; readonly pass?: string }
}

const BUCKET = 'hither'

/** Parts of `nats://user:password@host:port/bucket`; the bucket is `hither` where none is named. Throws `INVALID_URL`. */
export function partsOfNats(url: string): NatsParts {
  try {
    const { username, password, host, pathname, search, hash } = new URL(url)
    const bucket = /^\/?$/.test(pathname) ? BUCKET : /^\/([\w-]+)$/.exec(pathname)?.[1]
    const connect = username ? { user: decodeURIComponent(username), pass: decodeURIComponent(password) } : {}
    // After a bare # or ? in a password, `URL` takes its first part for the host, which is printed.
    if (host && bucket && !search && !hash) return { servers: `nats://${host}`, bucket, connect }
  } catch {
    // The error below is thrown instead: that of `URL` would quote the url.
  }
  throw new HitherError(
    'INVALID_URL',
    'a url of NATS is nats://host:4222, or names a bucket: nats://host:4222/bucket. Write %23 for # and %3F for ? in a password',
  )
}

const nats: Open = async (url) => {
  const { natsStore } = await import('hither/nats')
  return { store: natsStore({ ...partsOfNats(url), timeoutMs: 10_000 }), kind: 'nats' }
}

/** How to open a store, by the scheme of its url. An adapter is loaded only when a url asks for it. */
const SYSTEMS: Readonly<Record<string, Open>> = {
  redis,
  rediss: redis,
  valkey: redis,
  valkeys: redis,
  unix: redis,
  memcached,
  memcacheds: memcached,
  http: rest,
  https: rest,
  nats,
}

/** Returns the url with its scheme in lower case. Throws `INVALID_URL`, without the text, which may hold a password. */
export function checkUrl(given: string): string {
  const url = given.replace(/(?<=^|,)[a-z]+(?=:\/\/)/gi, (scheme) => scheme.toLowerCase())
  const scheme = /^([a-z]+):\/\/./.exec(url)?.[1] ?? ''
  if (!Object.hasOwn(SYSTEMS, scheme)) {
    const known = Object.keys(SYSTEMS).join(', ')
    throw new HitherError('INVALID_URL', `a url begins with one of ${known}, and :// and a host`)
  }
  return url
}

/** Makes the store of a url; it connects at its first call. Rejects for a url that makes no sense. */
export async function openStore(given: string, tokens: Tokens): Promise<OpenedStore> {
  const url = checkUrl(given)
  const open = SYSTEMS[url.slice(0, url.indexOf(':'))] as Open
  return { ...(await open(url, tokens)), place: placeOf(url) }
}

/** Hosts and ports of one or several urls, without anything that may be secret. */
export function placeOf(urls: string): string {
  const hosts = urls.split(',').map((url) => {
    const rest = url.replace(/^[a-z]+:\/\//, '')
    return url.startsWith('unix:') ? 'a unix socket' : (/^[^/?#]*/.exec(rest)?.[0].replace(/^.*@/, '') ?? '')
  })
  return hosts.join(', ')
}

/** Sends a read command to a server of Redis commands. Undefined if the store cannot do so, or the server refuses. */
export async function askServer({ transport }: Store, ...args: (string | number)[]): Promise<unknown> {
  if (!transport) return undefined
  const reply = await transport.send({ args, effect: 'read' }).catch(() => undefined)
  return typeof reply === 'object' && reply !== null && 'message' in reply ? undefined : reply
}
