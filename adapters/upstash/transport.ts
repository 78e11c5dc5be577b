import { HitherError, StoreRejectedError } from '../../src/errors.ts'
import { now, setTimer, sleep } from '../../src/runtime/clock.ts'
import type { Call } from '../../src/store/store.ts'
import { ReplyError, type Command, type Transport, type Wire } from '../../src/store/transport.ts'
import type { Endpoint } from './endpoint.ts'

type Body = string | Uint8Array<ArrayBuffer>
type Shape<T> = (body: unknown) => T

/**
 * Upstash's REST protocol over `fetch`. A command is `POST /`, a list `POST /pipeline`, a transaction
 * `POST /multi-exec`; a command with one `Uint8Array` goes by its path, with the bytes as the body.
 *
 * Each request carries the newest sync token seen, so that this transport reads its own writes. It rejects as
 * `Transport` says; `fetch` cannot tell a request that was never sent from one whose reply was lost, so every failure
 * of it is `maybeExecuted`, except a refusal (401, 403, 429), which did not run.
 */
export function createTransport(to: Endpoint): Transport {
  const { url, token, session, timeoutMs } = to
  let closed = false

  const post = async <T>(path: string, body: Body, shape: Shape<T>, call: Call = {}): Promise<T> => {
    if (closed) throw new HitherError('CLOSED', 'the store is closed')
    const deadline = call.deadline ?? now() + timeoutMs
    const stop = new AbortController()
    let sent = false
    const failure = (code: 'STORE_UNAVAILABLE' | 'TIMEOUT' | 'BAD_REPLY', message: string, cause?: unknown): HitherError =>
      new HitherError(code, message, { cause, retryable: code !== 'BAD_REPLY', maybeExecuted: sent })

    const attempt = async (tries: number): Promise<T> => {
      const headers: Record<string, string> = { authorization: `Bearer ${token}` }
      if (typeof body === 'string') headers['content-type'] = 'application/json'
      if (call.bytes) headers['upstash-encoding'] = 'base64'
      if (session.upstashSyncToken) headers['upstash-sync-token'] = session.upstashSyncToken
      const init: RequestInit = { method: 'POST', headers, body, signal: stop.signal, redirect: 'manual' }
      // Where the platform caches what `fetch` gets; some refuse the field altogether.
      if ('cache' in Request.prototype) init.cache = 'no-store'
      let response: Response
      let text: string
      try {
        sent = true
        response = await to.fetch(url + path, init)
        text = await response.text()
      } catch (cause) {
        throw failure('STORE_UNAVAILABLE', 'no reply from the REST endpoint', cause)
      }
      const { status } = response
      session.upstashSyncToken = response.headers.get('upstash-sync-token') ?? session.upstashSyncToken
      if (status === 401 || status === 403) {
        throw new HitherError('UNAUTHORIZED', `the REST endpoint refused the token (HTTP ${status})`)
      }
      if (status === 429) {
        sent = false
        const wait = Math.max(retryAfter(response), 50 * 2 ** tries)
        if (now() + wait >= deadline) {
          throw new HitherError('OVERLOADED', 'HTTP 429: too many requests until past the deadline', { retryable: true })
        }
        await sleep(wait, stop.signal)
        return attempt(tries + 1)
      }
      if (status > 499) throw failure('STORE_UNAVAILABLE', `the REST endpoint failed (HTTP ${status})`)
      try {
        if (status < 200 || (status > 299 && status < 400)) throw new SyntaxError()
        return shape(JSON.parse(text))
      } catch {
        throw failure('BAD_REPLY', `HTTP ${status} is no Upstash REST reply: check the url`)
      }
    }
    let leave: (this: AbortSignal) => void = () => {}
    let cancel: () => void = () => {}
    const signals = [call.signal, to.signal?.()]
    for (const signal of signals) if (signal?.aborted) throw signal.reason
    try {
      return await Promise.race([
        new Promise<never>((_, reject) => {
          leave = function () {
            reject(this.reason)
          }
          for (const signal of signals) signal?.addEventListener('abort', leave)
          cancel = setTimer(() => reject(failure('TIMEOUT', 'no reply before the deadline')), deadline - now())
        }),
        attempt(0),
      ])
    } finally {
      cancel()
      for (const signal of signals) signal?.removeEventListener('abort', leave)
      stop.abort()
    }
  }

  const send: Transport['send'] = ({ args }, call) => {
    const at = args.findIndex((arg) => typeof arg === 'object')
    const shape: Shape<Wire> = (body) => item(body, call)
    if (at < 0) return post('/', JSON.stringify(args), shape, call)
    const path = args.slice(0, at).map((arg) => `/${encodeURIComponent(arg as string)}`)
    const rest = args.slice(at + 1).map((arg, i) => (i % 2 ? '=' : i ? '&' : '?') + encodeURIComponent(arg as string))
    if (path.some((part) => /^\/\.\.?$/.test(part))) {
      return Promise.reject(new HitherError('INVALID_KEY', 'bytes over REST cannot have the key "." or ".."'))
    }
    return post(path.join('') + rest.join(''), args[at] as Uint8Array<ArrayBuffer>, shape, call)
  }

  const list = (path: string, commands: readonly Command[], call?: Call): Promise<readonly Wire[] | ReplyError> =>
    post(
      path,
      JSON.stringify(commands.map(({ args }) => args)),
      (body) => {
        if (!Array.isArray(body)) {
          const error = item(body)
          if (error instanceof ReplyError) return error
        } else if (body.length === commands.length) return body.map((part) => item(part, call))
        throw new SyntaxError()
      },
      call,
    )

  return {
    send,
    async sendMany(commands, call) {
      const replies: Wire[] = []
      if (commands.some(({ args }) => args.some((arg) => typeof arg === 'object'))) {
        // Raw bytes fit no JSON: one request each, in order.
        for (const command of commands) {
          try {
            replies.push(await send(command, call))
          } catch (error) {
            // Those before it did run.
            if (!replies.length || !(error instanceof HitherError)) throw error
            throw new HitherError(error.code, error.message, { cause: error, retryable: error.retryable, maybeExecuted: true })
          }
        }
        return replies
      }
      const reply = await list('/pipeline', commands, call)
      return reply instanceof ReplyError ? commands.map(() => reply) : reply
    },
    async transaction(commands, call) {
      const reply = await list('/multi-exec', commands, call)
      if (reply instanceof ReplyError) throw new StoreRejectedError('MULTI', reply.word)
      return reply
    },
    async close() {
      closed = true
    },
  }
}

/** Milliseconds until the server wants to be asked again; 0 when it does not say. */
function retryAfter({ headers }: Response): number {
  const value = headers.get('retry-after') ?? ''
  return (/^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now()) || 0
}

/** `{ result }` or `{ error }` as a value. Throws for anything else. */
function item(body: unknown, call?: Call): Wire {
  const { error, result } = body as { error?: unknown; result?: unknown }
  return typeof error === 'string' ? new ReplyError(error) : wire(result, call?.bytes)
}

function wire(value: unknown, bytes: boolean | undefined): Wire {
  if (value === null || typeof value === 'number') return value
  if (typeof value === 'string') return bytes && value !== 'OK' ? fromBase64(value) : value
  if (typeof value === 'boolean') return value ? 1 : 0
  if (Array.isArray(value)) return value.map((part) => wire(part, bytes))
  throw new SyntaxError()
}

/** Throws for text that is not padded base64: a server that ignores the encoding header. `OK` alone is none, ever. */
function fromBase64(text: string): Uint8Array {
  if (text.length % 4) throw new SyntaxError()
  const binary = atob(text)
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i)
  return bytes
}
