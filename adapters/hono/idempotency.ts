import { HitherError, isHitherError } from 'hither'
import type { Attempt, Idempotency } from 'hither/idempotency'
import type { Context, Env, MiddlewareHandler } from 'hono'
import { fromStored, keptBody, toStored } from './stored-response.ts'
import { stateTextType } from './text-type.ts'

export interface IdempotencyOptions<E extends Env = Env> {
  /** The result of `createIdempotency`, or a function that returns it for a request, such as from `c.env`. */
  readonly idempotency: Idempotency | ((c: Context<E>) => Idempotency)
  /** Returns the owner of the key, such as the id of the signed-in user: text that is not empty. */
  readonly scope: (c: Context<E>) => string | Promise<string>
  /** Responds with 400 to a request without a key. @default false: it passes through */
  readonly required?: boolean
  /** Largest response body that is stored, in bytes. A larger body is sent to the first client only. @default 262_144 */
  readonly maxBytes?: number
  /** Called when a response could not be stored, or a key could not be freed. The response is sent all the same. */
  readonly onError?: (error: unknown, c: Context<E>) => void
}

const OPTIONS = ['idempotency', 'scope', 'required', 'maxBytes', 'onError']
const MAX_KEY = 255
/** A string (RFC 8941, section 3.3.3). Its parameters are ignored. */
const QUOTED = /^"((?:[ !#-[\]-~]|\\["\\])*)" *(?:;.*)?$/
const BARE = /^[!#-+\--[\]-~]+$/
/** The pairs of scope and key under which each request is being carried out. */
const running = new WeakMap<Context, Set<string>>()
/** The status of an error that says nothing about what the handler has done: Request Timeout, Gateway Timeout. */
const GAVE_UP = /^(408|504)$/
/** Methods that are safe to repeat without a key (RFC 9110, section 9.2.1). */
const SAFE = /^(GET|HEAD|OPTIONS|TRACE)$/

/**
 * Middleware that carries out a request with an `Idempotency-Key` once, and replays the first response to its duplicates
 * (draft-ietf-httpapi-idempotency-key-header-07). The key may be quoted or bare. A duplicate gets the stored response with
 * `Idempotency-Replayed: true`; 409 while the first request is running, when its outcome is unknown, or when its response was
 * too large to store; 422 if its method, path, query or body differs. A handler that throws, or returns 5xx or
 * `Response.error()`, frees the key. An error with status 408 or 504, such as that of `timeout()`, does not: the handler may
 * still be running, and a duplicate gets 409.
 *
 * If a request passes several of these middlewares with one scope, only the first acts: otherwise each would wait for the other.
 *
 * Throws `INVALID_ARGUMENT` for options that make no sense. A store that is down sends the request to the application's
 * error handler before it is carried out.
 */
export function idempotency<E extends Env = Env>(options: IdempotencyOptions<E>): MiddlewareHandler<E> {
  if (typeof options !== 'object' || options === null) throw invalid('idempotency takes an object')
  for (const name of Object.keys(options))
    if (!OPTIONS.includes(name)) throw invalid(`idempotency has no option ${name}`)
  const { idempotency, scope, required = false, maxBytes = 262_144, onError } = options
  if (typeof idempotency !== 'function' && typeof idempotency?.begin !== 'function')
    throw invalid('idempotency is made by createIdempotency, or a function that returns one')
  if (typeof scope !== 'function') throw invalid('scope is a function that returns whose key it is')
  if (!(Number.isSafeInteger(maxBytes) && maxBytes >= 0)) throw invalid('maxBytes is a whole number')
  if (typeof required !== 'boolean') throw invalid('required is true or false')
  if (onError !== undefined && typeof onError !== 'function') throw invalid('onError is a function')

  return async (c, next) => {
    if (SAFE.test(c.req.method)) return next()
    const header = c.req.header('idempotency-key')
    if (header === undefined)
      return required ? problem(400, 'Idempotency-Key is missing', 'send one with this request') : next()
    const key = keyOf(header)
    if (key === undefined)
      return problem(400, 'Idempotency-Key is malformed', `it is a string of 1 to ${MAX_KEY} characters, in quotes`)
    const owner = await scope(c)
    if (typeof owner !== 'string' || owner === '')
      throw invalid('scope(c) of idempotency returns text that is not empty')
    const own = JSON.stringify([owner, key])
    const others = running.get(c) ?? new Set()
    if (others.has(own)) return next()
    const keys = typeof idempotency === 'function' ? idempotency(c) : idempotency
    const attempt = await keys.begin(key, {
      scope: owner,
      fingerprint: await fingerprintOf(c),
      signal: c.req.raw.signal,
    })
    if (attempt.outcome !== 'first') return answerDuplicate(attempt)
    running.set(c, others.add(own))
    const settle = (work: Promise<unknown>): Promise<unknown> => work.catch((error: unknown) => onError?.(error, c))
    stateTextType(c)
    try {
      await next()
    } catch (error) {
      if (!hasGivenUp(error)) await settle(attempt.release())
      throw error
    }
    if (hasGivenUp(c.error)) return
    // The status of a network error (`Response.error()`) is 0: no response with it can be made for a duplicate.
    if (c.error || c.res.status >= 500 || c.res.status === 0) {
      await settle(attempt.release())
      return
    }
    const { response, body } = await keptBody(c.res, maxBytes).catch(async (error: unknown) => {
      // The body broke off, and the client gets an error in its place: free the key, as for a handler that threw.
      await settle(attempt.release())
      throw error
    })
    c.res = undefined
    c.res = response
    await settle(keep(attempt, response, body))
  }
}

/**
 * Whether a middleware such as `timeout()`, before or after this one, has given up on the handler, which may still run. The key then
 * stays claimed, so that a duplicate gets 409.
 */
function hasGivenUp(error: unknown): boolean {
  return GAVE_UP.test(`${(error as { status?: number } | undefined)?.status}`)
}

type First = Extract<Attempt, { outcome: 'first' }>

/** Stores a response. If the store refuses it as too large, stores the response without its body, and rejects. */
async function keep(attempt: First, response: Response, body: Uint8Array | undefined): Promise<void> {
  try {
    await attempt.complete(toStored(response, body))
  } catch (error) {
    // Otherwise duplicates would get the reply that the first request is still running.
    if (isHitherError(error) && error.code === 'VALUE_TOO_LARGE') await attempt.complete(toStored(response, undefined))
    throw error
  }
}

function answerDuplicate(attempt: Exclude<Attempt, { outcome: 'first' }>): Response {
  if (attempt.outcome === 'replay') {
    const response = fromStored(attempt.response)
    if (response) return response
    return problem(409, 'The request was carried out', 'its response was too large to be sent again')
  }
  if (attempt.outcome === 'mismatch')
    return problem(422, 'Idempotency-Key is already used', 'another request was sent with this key: use a new one')
  if (attempt.outcome === 'running')
    return problem(409, 'A request is outstanding for this Idempotency-Key', 'try again later', { 'Retry-After': '1' })
  return problem(
    409,
    'The outcome of the request with this Idempotency-Key is unknown',
    'it may have been carried out: find out before it is sent with a new key',
  )
}

function keyOf(header: string): string | undefined {
  const text = header.trim()
  const key = QUOTED.exec(text)?.[1]?.replace(/\\(.)/g, '$1') ?? (BARE.test(text) ? text : '')
  return key.length >= 1 && key.length <= MAX_KEY ? key : undefined
}

/** Identifies the contents of a request: its method, path, query, and a digest of its body. */
async function fingerprintOf({ req }: Context): Promise<string> {
  const request = req.raw
  const { pathname, search } = new URL(request.url)
  // If a middleware before this one has read the body, such as a validator, Hono has kept the bytes.
  const body = await (request.bodyUsed ? req.arrayBuffer().catch(bodyIsGone) : request.clone().arrayBuffer())
  const bytes = /^multipart\//i.test(req.header('content-type') ?? '') ? withoutBoundary(body) : body
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return [request.method, pathname + search, btoa(String.fromCharCode(...hash))].join(' ')
}

/** Removes the boundary, which is the first line: a form that is sent again has another one. */
function withoutBoundary(body: ArrayBuffer): Uint8Array<ArrayBuffer> {
  const text = new TextDecoder('latin1').decode(body)
  const [line = ''] = text.split('\r\n', 1)
  return new TextEncoder().encode(line ? text.replaceAll(line, '--') : text)
}

function problem(status: number, title: string, detail: string, headers: HeadersInit = {}): Response {
  return new Response(JSON.stringify({ type: 'about:blank', title, status, detail }), {
    status,
    headers: { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store', ...headers },
  })
}

function bodyIsGone(cause: unknown): never {
  const message =
    'the body was read before idempotency() and cannot be read again: read it by c.req.text() or c.req.json()'
  throw new HitherError('INVALID_ARGUMENT', message, { cause })
}

function invalid(message: string): HitherError {
  return new HitherError('INVALID_ARGUMENT', message)
}
