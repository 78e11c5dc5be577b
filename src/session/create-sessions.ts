import { HitherError } from '../errors.ts'
import { checkCodec, checkFlag, checkNames, checkSchema, invalid } from '../protocol/arguments.ts'
import { toMs } from '../protocol/duration.ts'
import { checkNamespace } from '../protocol/keys.ts'
import type { Call } from '../store/store.ts'
import { checkStore } from './check-store.ts'
import { type Claim, createCookies, digestOf, subjectRef } from './cookie.ts'
import { endEverywhere } from './end.ts'
import { createFields } from './fields.ts'
import type { SessionMaker } from './maker.ts'
import { parseRecord } from './record.ts'
import { createSession, type FoundSession } from './session.ts'
import type { ListedSession, SessionRequest, Sessions, SessionsOptions } from './types.ts'

const KNOWN: { readonly [K in keyof SessionsOptions<unknown>]-?: true } = {
  store: true,
  namespace: true,
  secrets: true,
  idle: true,
  absolute: true,
  schema: true,
  codec: true,
  cookie: true,
  insecure: true,
}
const KNOWN_OF_COOKIE: Readonly<Record<keyof NonNullable<SessionsOptions<unknown>['cookie']>, true>> = {
  name: true,
  sameSite: true,
}
const TOUCH_MS = 60_000
const HANDLE = /^[\w-]{43}$/
/** A token (RFC 6265) without a prefix: `createSessions` adds the right one. */
const COOKIE_NAME = /^(?!__(host|secure)-)[\w!#$%&'*+.^`|~-]+$/i
const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/

/**
 * Sessions over any store with operations. Ids are random, stored only as SHA-256, and never adopted from a client. Throws
 * `INVALID_ARGUMENT`, `INVALID_DURATION`, `INVALID_KEY` (a namespace) or `UNSUPPORTED` (a store without operations, or whose
 * reads may be behind its writes) at once.
 */
export function createSessions<T extends object = Record<string, unknown>>(options: SessionsOptions<T>): Sessions<T> {
  checkNames('createSessions', options ?? null, Object.keys(KNOWN))
  const {
    store,
    namespace = 'hither',
    secrets,
    idle = '30m',
    absolute = '12h',
    cookie = {},
    insecure = false,
  } = options
  checkNames('cookie', cookie, Object.keys(KNOWN_OF_COOKIE))
  checkStore(store)
  const { name = 'session', sameSite = 'Lax' } = cookie
  if (typeof name !== 'string' || !COOKIE_NAME.test(name))
    throw invalid('the name of a cookie is a token without a prefix, such as session')
  if (sameSite !== 'Lax' && sameSite !== 'Strict') {
    throw invalid("sameSite is 'Lax' or 'Strict'")
  }
  checkFlag(insecure, 'insecure')
  checkCodec(options.codec)
  checkSchema(options.schema)
  const space = checkNamespace(namespace)
  const idleMs = toMs(idle, 'idle')
  const absoluteMs = toMs(absolute, 'absolute')
  const maker: SessionMaker = {
    store,
    cookies: createCookies(secrets, space, {
      name: insecure ? name : `__Host-${name}`,
      path: '/',
      sameSite,
      secure: !insecure,
      maxAgeSeconds: Math.ceil(absoluteMs / 1000),
    }),
    fields: createFields(options),
    idleMs,
    absoluteMs,
    touchAfterMs: Math.min(TOUCH_MS, idleMs / 10),
    sessionKey: (handle) => `:${space}:s:${handle}`,
    generationKey: (subject) => `:${space}:u:${subject}`,
    listKey: (subject) => `:${space}:l:${subject}`,
  }
  return {
    async open(request, call) {
      const device = deviceOf(request?.headers)
      if (insecure) checkLoopback(request)
      const claim = maker.cookies.read(request.headers.get('cookie'))
      const found = claim && (await find(maker, claim, call))
      return createSession(maker, device, found)
    },
    async destroyAll(subject, call) {
      await store.delete([maker.generationKey(subjectRef(checkSubject(subject)))], call)
    },
    list: async (subject, call) => list(maker, subjectRef(checkSubject(subject)), call),
    async destroy(handle, call) {
      if (typeof handle !== 'string' || !HANDLE.test(handle)) throw invalid('a handle is what list() gave')
      return endEverywhere(maker, handle, call)
    },
  }
}

/** Reads the session and its subject's generation in parallel. Undefined: it has ended, or its data is unreadable or refused. */
async function find(
  { store, sessionKey, generationKey, fields }: SessionMaker,
  claim: Claim,
  call: Call | undefined,
): Promise<FoundSession | undefined> {
  const handle = digestOf(claim.id)
  const key = sessionKey(handle)
  const reading = store.get(key, call)
  const [text, generation] = claim.subject
    ? await Promise.all([reading, store.get(generationKey(claim.subject), call)])
    : [await reading]
  const record = parseRecord(text)
  if (!record) return undefined
  const { subject, generation: held } = record
  // Another request may have bound the session since this cookie was sent. Then the generation of its present subject is read.
  const current = subject === claim.subject ? generation : await store.get(generationKey(subject), call)
  if (subject && current !== held) return undefined
  const opening = fields.open(key, record.fields)
  const opened = opening instanceof Promise ? await opening : opening
  return opened && { id: claim.id, subject, generation: held, handle, seenMs: record.seenMs, fields: opened }
}

async function list(
  { store, sessionKey, generationKey, listKey }: SessionMaker,
  subject: string,
  call: Call | undefined,
): Promise<ListedSession[]> {
  const [text = '', generation] = await Promise.all([
    store.get(listKey(subject), call),
    store.get(generationKey(subject), call),
  ])
  const lines = text.split('\n').flatMap((line) => {
    const [, handle = '', device = ''] = /^([\w-]{43}) \d+ (.*)$/.exec(line) ?? []
    return handle ? [{ handle, device: decodeURIComponent(device) }] : []
  })
  const records = await store.getMany(
    lines.map(({ handle }) => sessionKey(handle)),
    call,
  )
  const found = lines.flatMap(({ handle, device }, i) => {
    const record = parseRecord(records[i])
    if (record?.subject !== subject || record.generation !== generation) return []
    return [{ handle, device, createdMs: record.createdMs, lastSeenMs: record.seenMs }]
  })
  return found.reverse()
}

function checkSubject(subject: string): string {
  if (typeof subject === 'string' && subject !== '') return subject
  throw invalid('a subject is a string that is not empty, such as user:7')
}

const DEVICE_LENGTH = 200

function deviceOf(headers: Headers | undefined): string {
  if (typeof headers?.get !== 'function') {
    throw invalid('open takes a Request, or { headers: Headers }')
  }
  return encodeURIComponent((headers.get('user-agent') ?? '').toWellFormed().slice(0, DEVICE_LENGTH).toWellFormed())
}

/** Throws `INSECURE_URL` for a request to another host than this machine: a cookie without `Secure` travels in the clear. */
function checkLoopback({ url, headers }: SessionRequest): void {
  // In Node the `url` of a request is a path, so the host is in its headers.
  const host = url && URL.canParse(url) ? new URL(url).hostname : (headers?.get('host') ?? '').replace(/:\d*$/, '')
  if (!LOOPBACK.test(host)) {
    throw new HitherError('INSECURE_URL', 'insecure sessions are for plain http on this machine: use https elsewhere')
  }
}
