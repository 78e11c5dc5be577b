import { HitherError } from 'hither'
import type { Session, Sessions } from 'hither/session'
import type { Context, Env, MiddlewareHandler } from 'hono'
import { stateTextType } from './text-type.ts'

export interface SessionMiddlewareOptions<T extends object, E extends Env = Env> {
  /** The result of `createSessions`, or a function that returns it, such as from `c.env`. Called once per request. */
  readonly sessions: Sessions<T> | ((c: Context<E>) => Sessions<T> | Promise<Sessions<T>>)
  /** Deadline for opening and saving the session, in epoch ms; after it, `TIMEOUT` is thrown. @default the store's own limit for each */
  readonly deadline?: (c: Context<E>) => number
}

/** What `session` adds to an application's environment: `c.var.session`. */
export interface SessionVariables<T extends object> {
  session: Session<T>
}

/** The `Sessions` that opened each session. */
const openedBy = new WeakMap<object, object>()

/** By request: saves its sessions. Resolves to the cookies that they set. */
const saves = new WeakMap<Context, () => Promise<readonly string[]>>()

/** Names of cookies that sessions of this process have set. */
const names = new Set<string>()

/**
 * Saves the sessions of a request before it is decided whether the response may be stored. Resolves to the cookies that make the
 * response one for this visitor alone; undefined if it is not. If a session cannot be saved it is, too: `session` then throws.
 */
export async function saveSessions(c: Context, { headers }: Response): Promise<readonly string[] | undefined> {
  let isFailed = false
  const fail = (): void => {
    isFailed = true
  }
  const cookies = (await saves.get(c)?.().catch(fail)) ?? []
  // A mounted application has another context. Its sessions have set their cookies by now.
  const hasOne = headers.getSetCookie().some((cookie) => names.has(nameOf(cookie)))
  return isFailed || hasOne || cookies.length > 0 ? cookies : undefined
}

const nameOf = (cookie: string): string => cookie.slice(0, cookie.indexOf('='))

/**
 * Middleware that opens the request's session as `c.var.session`. It saves the session once, before the response is sent, also
 * after a handler that threw. If a request passes several of these middlewares with the same `sessions`, the first one opens and
 * saves. If the handler calls `save()` itself, its cookie is sent too. A response that sets the cookie gets
 * `Cache-Control: no-store`, unless the handler has set Cache-Control.
 * Throws when the store does not reply: an outage must not look like a logged-out visitor.
 */
export function session<T extends object, E extends Env = Env>(
  options: SessionMiddlewareOptions<T, E>,
): MiddlewareHandler<E & { Variables: SessionVariables<T> }> {
  const { sessions, deadline, ...others } = options ?? {}
  for (const name of Object.keys(others)) {
    throw new HitherError('INVALID_ARGUMENT', `session has no option ${name}`)
  }
  if (typeof sessions !== 'function' && typeof sessions?.open !== 'function') {
    throw new HitherError('INVALID_ARGUMENT', 'session takes { sessions }, what createSessions made')
  }
  if (deadline !== undefined && typeof deadline !== 'function') {
    throw new HitherError('INVALID_ARGUMENT', 'deadline is a function that returns an instant in epoch milliseconds')
  }
  return async (c, next) => {
    const all = typeof sessions === 'function' ? await sessions(c as unknown as Context<E>) : sessions
    if (openedBy.get(c.get('session')) === all) return next()
    const call = deadline && { deadline: deadline(c as unknown as Context<E>) }
    const opened = await all.open(c.req.raw, { signal: c.req.raw.signal, ...call })
    openedBy.set(opened, all)
    c.set('session', opened)
    // Kept here, since the response to which it was to be added may be replaced by a stored one.
    let cookie: string | undefined
    const { save } = opened
    // A handler that saves the session itself leaves no change, and so no cookie, to the save after it.
    opened.save = async (own) => {
      const made = await save(own)
      cookie = made ?? cookie
      if (cookie) names.add(nameOf(cookie))
      return made
    }
    const saveAll = (): Promise<unknown> => opened.save(call)
    const saveOthers = saves.get(c)
    saves.set(c, async () => {
      const others = (await saveOthers?.()) ?? []
      await saveAll()
      return cookie ? [...others, cookie] : others
    })
    stateTextType(c)
    await next()
    await saveAll()
    if (!cookie) return
    // The handler may have sent it itself, with other attributes.
    const own = `${cookie.split(';', 1)[0]};`
    const isSent = c.res.headers.getSetCookie().some((sent) => `${sent};`.startsWith(own))
    if (!isSent) c.header('set-cookie', cookie, { append: true })
    if (!c.res.headers.has('cache-control')) c.header('cache-control', 'no-store')
  }
}
