import { type ErrorCode, HitherError, StoreRejectedError } from '../../src/errors.ts'
import { now, sleep } from '../../src/runtime/clock.ts'
import { checkLimit, limitOf, onLimit } from '../../src/runtime/deadline.ts'
import type { Call } from '../../src/store/store.ts'
import { type Command, ReplyError, type Transport, type Wire } from '../../src/store/transport.ts'
import type { Endpoint } from './endpoint.ts'
import { readText } from './read-text.ts'

const SYNC_TOKEN = 'upstash-sync-token'

/**
 * Upstash's REST protocol over `fetch`. A command is `POST /`, a list `POST /pipeline`, a transaction
 * `POST /multi-exec`; a command with one `Uint8Array` has its other arguments in the path, and the bytes as the body.
 *
 * Each request carries the newest sync token seen, so that this transport reads its own writes. It rejects as
 * `Transport` says. `fetch` does not show whether a request was never sent or its response was lost, so every failure is
 * `maybeExecuted`, except a refusal (401, 403, 429) and, on Node and Bun, a connection that was not made.
 */
export function createTransport(endpoint: Endpoint): Transport {
  const { url, token, session, timeoutMs, maxCallBytes, cache, fetch, signal: common } = endpoint
  const underWay = new Set<AbortController>()
  let isClosed = false
  const checkOpen = (): void => {
    if (isClosed) throw ended()
  }
  const post = async <T>(path: string, body: unknown, read: (body: unknown) => T, call: Call = {}): Promise<T> => {
    const { signal = common?.(), deadline = now() + timeoutMs, patient = true } = call
    checkOpen()
    const limit = limitOf({ signal, deadline })
    checkLimit(limit)
    const stop = new AbortController()
    underWay.add(stop)
    const timedOut = () => lost('TIMEOUT', 'no reply before the deadline')
    const callOff = onLimit(limit, timedOut, (reason) => stop.abort(reason))
    try {
      for (let pause = 50; ; pause *= 2) {
        const headers: Record<string, string> = { authorization: `Bearer ${token}` }
        if (!isBytes(body)) headers['content-type'] = 'application/json'
        if (call.bytes) headers['upstash-encoding'] = 'base64'
        if (session.upstashSyncToken) headers[SYNC_TOKEN] = session.upstashSyncToken
        const init: RequestInit = {
          method: 'POST',
          headers,
          body: isBytes(body) ? body : JSON.stringify(body),
          signal: stop.signal,
          redirect: 'manual',
        }
        // Some platforms cache responses by default. Others have no such field and refuse it.
        if ('cache' in Request.prototype) init.cache = cache
        let response: Response
        let text: string | undefined
        try {
          response = await fetch(url + path, init)
          text = await readText(response, maxCallBytes)
        } catch (cause) {
          throw stop.signal.aborted ? stop.signal.reason : unanswered(cause as object)
        }
        const { status } = response
        const header = (name: string): string => response.headers.get(name) ?? ''
        session.upstashSyncToken = header(SYNC_TOKEN) || session.upstashSyncToken
        if (status === 401 || status === 403) throw new HitherError('UNAUTHORIZED', 'the endpoint refused the token')
        if (status > 499) throw lost('STORE_UNAVAILABLE', `HTTP ${status} from the endpoint`)
        if (status !== 429) {
          try {
            // A redirect is not a reply, whatever its body.
            if (status > 299 && status < 400) bad()
            return read(
              text === undefined
                ? { error: `TOOLARGE the commands ran; their response has more than ${maxCallBytes} bytes` }
                : JSON.parse(text),
            )
          } catch {
            throw lost('BAD_REPLY', `HTTP ${status}, no Upstash REST reply: check the url`)
          }
        }
        const after = header('retry-after')
        const ms = Math.max(pause, +after * 1000 || Date.parse(after) - now() || 0)
        if (!patient || now() + ms >= deadline)
          throw new HitherError('OVERLOADED', 'too many requests', { retryable: true })
        await sleep(ms, stop.signal)
      }
    } finally {
      callOff()
      underWay.delete(stop)
    }
  }

  const send: Transport['send'] = async ({ args }, call) => {
    const read = (body: unknown): Wire => item(body, call)
    const at = args.findIndex(isBytes)
    if (at < 0) return post('/', args, read, call)
    let path = ''
    args.forEach((arg, i) => {
      if (i === at) return
      if (arg === '.' || arg === '..') throw new HitherError('INVALID_KEY', 'no url can hold the key . or ..')
      path += (i < at ? '/' : i === at + 1 ? '?' : (i - at) % 2 ? '&' : '=') + encodeURIComponent(arg as string)
    })
    return post(path, args[at], read, call)
  }

  const list = (path: string, commands: readonly Command[], call?: Call): Promise<readonly Wire[] | ReplyError> =>
    post(
      path,
      commands.map(({ args }) => args),
      (body) => {
        if (Array.isArray(body)) return body.length === commands.length ? body.map((part) => item(part, call)) : bad()
        const error = item(body)
        return error instanceof ReplyError ? error : bad()
      },
      call,
    )

  return {
    send,
    async sendMany(commands, call) {
      const replies: Wire[] = []
      if (commands.some(({ args }) => args.some(isBytes))) {
        // JSON cannot hold raw bytes: send one request per command, in order.
        for (const command of commands) replies.push(await send(command, call))
        return replies
      }
      const reply = await list('/pipeline', commands, call)
      return reply instanceof ReplyError ? commands.map(() => reply) : reply
    },
    async transaction(commands, call) {
      const reply = await list('/multi-exec', commands, call)
      if (reply instanceof ReplyError) throw new StoreRejectedError('MULTI', reply)
      return reply
    },
    async events(channel, stop) {
      checkOpen()
      const headers = {
        authorization: `Bearer ${token}`,
        accept: 'text/event-stream',
        'content-type': 'application/json',
      }
      const init = { method: 'POST', headers, body: '[]', signal: stop, redirect: 'manual' } as const
      const { status, body } = await fetch(`${url}/subscribe/${encodeURIComponent(channel)}`, init).catch((cause) => {
        throw stop.aborted ? stop.reason : lost('STORE_UNAVAILABLE', 'no reply from the endpoint', cause, false)
      })
      if (status === 200 && body) return body
      await body?.cancel()
      if (status === 401 || status === 403) throw new HitherError('UNAUTHORIZED', 'the endpoint refused the token')
      throw lost('STORE_UNAVAILABLE', `HTTP ${status} from the endpoint`, undefined, false)
    },
    async close() {
      isClosed = true
      for (const each of underWay) each.abort(ended(true))
    },
  }
}

const ended = (maybeExecuted = false): HitherError =>
  new HitherError('CLOSED', 'the transport is closed', { maybeExecuted })

function lost(code: ErrorCode, message: string, cause?: unknown, maybeExecuted = true): HitherError {
  return new HitherError(code, message, { cause, retryable: code !== 'BAD_REPLY', maybeExecuted })
}

/** The error of a request whose `fetch` rejected. Only Node and Bun show by a code that no connection was made. */
function unanswered(cause: { code?: string; cause?: { code?: string } } | undefined): HitherError {
  const code = cause?.cause?.code ?? cause?.code
  // A certificate is checked before anything is sent.
  const unsent = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|UND_ERR_CONNECT_TIMEOUT|ConnectionRefused)$|CERT|_LEAF_/.test(
    `${code}`,
  )
  const what = unsent ? 'not connected' : 'no reply from the endpoint'
  const message = `${what}${code ? ` (${code})` : ''}: check that the endpoint runs, and the url`
  return lost('STORE_UNAVAILABLE', message, cause, !unsent)
}

function isBytes(value: unknown): value is Uint8Array<ArrayBuffer> {
  return value instanceof Uint8Array
}

function bad(): never {
  throw 0
}

/** `{ result }` or `{ error }` as a value. Throws for anything else. */
function item(body: unknown, call?: Call): Wire {
  const { error, result } = body as { error?: unknown; result?: unknown }
  return typeof error === 'string' ? new ReplyError(error) : wire(result, call?.bytes)
}

function wire(value: unknown, bytes: boolean | undefined): Wire {
  if (Array.isArray(value)) return value.map((part) => wire(part, bytes))
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return value === null ? value : +value
  if (typeof value !== 'string') return bad()
  // A plain OK is a status: a value OK would be `T0s=`, in base64.
  if (!bytes || value === 'OK') return value
  // A server that ignores the header sends plain text, whose length may not fit base64.
  if (value.length % 4) bad()
  const binary = atob(value)
  const out = new Uint8Array(binary.length)
  for (let i = 0; i < out.length; i++) out[i] = binary.charCodeAt(i)
  return out
}
