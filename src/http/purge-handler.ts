import { isHitherError } from '../errors.ts'
import { checkNames, invalid } from '../protocol/arguments.ts'
import { digest } from '../protocol/digest.ts'
import type { HttpCache, PurgeSelection } from './types.ts'

export interface PurgeHandlerOptions {
  /** Accepted tokens. A request sends one as `Authorization: Bearer TOKEN`. Each has at least 16 characters. */
  readonly tokens: readonly string[]
}

const LEAST_TOKEN = 16
const MOST_BYTES = 65_536

/**
 * A handler for `POST` of a `PurgeSelection` as JSON. It responds with 204 when the purge is done; 400 for a body that makes no
 * sense; 401 without an accepted token; 405 for another method; 413 for a body over 65,536 characters; 503 when the store or a
 * layer failed. Throws `INVALID_ARGUMENT` for tokens that are too short.
 */
export function purgeHandler(
  cache: Pick<HttpCache, 'purge'>,
  options: PurgeHandlerOptions,
): (request: Request) => Promise<Response> {
  if (typeof cache?.purge !== 'function') throw invalid('purgeHandler takes a cache that can be purged')
  checkNames('purgeHandler', options, ['tokens'])
  const { tokens } = options ?? {}
  const isToken = (token: unknown): boolean => typeof token === 'string' && token.length >= LEAST_TOKEN
  if (!Array.isArray(tokens) || tokens.length === 0 || !tokens.every(isToken))
    throw invalid(`tokens are of ${LEAST_TOKEN} characters at least`)
  const known = Promise.all(tokens.map(digest))
  return async (request) => {
    const [, given] = /^Bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '') ?? []
    // Digests are compared, so that the time of the comparison reveals nothing about a token.
    if (given === undefined || !(await known).includes(await digest(given)))
      return answer(401, 'a token is needed', { 'www-authenticate': 'Bearer' })
    if (request.method !== 'POST') return answer(405, 'POST a selection as JSON', { allow: 'POST' })
    const text = await request.text()
    let selection: PurgeSelection
    try {
      if (text.length > MOST_BYTES) return answer(413, 'the selection is too long')
      selection = JSON.parse(text) as PurgeSelection
    } catch {
      return answer(400, 'the body is no JSON')
    }
    try {
      await cache.purge(selection)
      return answer(204)
    } catch (error) {
      if (!isHitherError(error)) throw error
      return error.code === 'INVALID_ARGUMENT' ? answer(400, error.message) : answer(503, error.code)
    }
  }
}

function answer(status: number, detail?: string, more: Readonly<Record<string, string>> = {}): Response {
  const headers = { 'cache-control': 'no-store', ...more }
  return detail === undefined ? new Response(null, { status, headers }) : Response.json({ detail }, { status, headers })
}
