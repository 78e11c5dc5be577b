import { isHitherError } from '../errors.ts'
import { checkNames, invalid } from '../protocol/arguments.ts'
import { digest } from '../protocol/digest.ts'
import type { HttpCache, PurgeSelection } from './types.ts'

export interface PurgeHandlerOptions {
  /** What a request proves itself with, as `Authorization: Bearer TOKEN`: one of these, each of 16 characters at least. */
  readonly tokens: readonly string[]
}

const LEAST_TOKEN = 16
const MOST_BYTES = 65_536

/**
 * Answers `POST` of a `PurgeSelection` as JSON: 204 when it is done, 401 without a token, 400 for what makes no sense, 503
 * when the store did not do it. Throws `INVALID_ARGUMENT` for tokens that are too short.
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
    // Digests are compared, so that the time it takes says nothing of a token.
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
