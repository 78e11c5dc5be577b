import type { AtomicStore } from 'hither'
import { createSessions, type Session, type Sessions } from 'hither/session'
import type { Nearest } from './nearest.ts'
import { BadQuery, type Until } from './query.ts'

/** A search, named by the place it found: the text that a visitor typed is never shown to another. */
export interface Search {
  readonly name: string
  readonly country: string
  readonly lat: number
  readonly lon: number
}

/** The data of a visitor's session. */
export interface Visitor {
  name: string
  /** Latest first. */
  searches: readonly Search[]
}

export type VisitorSession = Session<Partial<Visitor>>
/** The sessions for a request. */
export type SessionsFor = (request: Request) => Sessions<Partial<Visitor>>

const MOST_SEARCHES = 5
const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]']

/** `secret`: at least 32 random bytes, or their base64; the same on every server. */
export function createSignIn(store: AtomicStore, secret: string | Uint8Array): SessionsFor {
  const options = { store, namespace: 'places', secrets: [secret], idle: '1h', absolute: '12h' } as const
  const secure = createSessions<Partial<Visitor>>(options)
  const local = createSessions<Partial<Visitor>>({ ...options, insecure: true })
  return ({ url }) => {
    const { protocol, hostname } = new URL(url)
    // A browser stores no Secure cookie over plain http. Insecure cookies are for this machine only: all others need https.
    return protocol === 'http:' && LOOPBACK.includes(hostname) ? local : secure
  }
}

/** The part of a session that the page shows. */
export function shownOf(session: VisitorSession): { readonly name?: string; readonly searches: readonly Search[] } {
  const name = session.get('name')
  return name === undefined ? { searches: [] } : { name, searches: session.get('searches') ?? [] }
}

export async function signIn(session: VisitorSession, name: string, { deadline }: Until): Promise<void> {
  await session.rotate({ deadline }) // a new id with each sign-in: one that somebody else knew opens nothing
  session.set('name', name)
  session.set('searches', [])
}

/** Reads the body `{ "name": … }`. Another site's form cannot send this type without asking first. */
export async function parseName(request: Request): Promise<string> {
  const isJson = /^application\/json\b/.test(request.headers.get('Content-Type') ?? '')
  const body: unknown = isJson ? await request.json().catch(() => undefined) : undefined
  const given = typeof body === 'object' && body !== null && 'name' in body ? body.name : undefined
  const name = typeof given === 'string' ? given.trim() : ''
  if (/^[^\p{C}]{1,40}$/u.test(name)) return name
  throw new BadQuery('send a name of 1 to 40 characters with Content-Type: application/json: {"name":"Ada"}')
}

export function searchOf({ point, places: [first] }: Nearest): Search | undefined {
  return first && { name: first.name, country: first.country, ...point }
}

/** Adds a search to the session of a visitor who has signed in. Resolves to a `Set-Cookie` value, or undefined for none. */
export async function rememberSearch(
  sessions: Sessions<Partial<Visitor>>,
  request: Request,
  search: Search,
  { deadline }: Until,
): Promise<string | undefined> {
  const session = await sessions.open(request, { deadline })
  if (session.get('name') === undefined) return undefined
  const others = (session.get('searches') ?? []).filter(({ lat, lon }) => lat !== search.lat || lon !== search.lon)
  session.set('searches', [search, ...others].slice(0, MOST_SEARCHES))
  return session.save({ deadline })
}
