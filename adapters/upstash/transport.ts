import { HitherError, StoreRejectedError } from '../../src/errors.ts'
import { now, setTimer, sleep } from '../../src/runtime/clock.ts'
import type { Call } from '../../src/store/store.ts'
import { type Command, ReplyError, type Transport, type Wire } from '../../src/store/transport.ts'
import type { Endpoint } from './endpoint.ts'

type Body = string | Uint8Array<ArrayBuffer>

/**
 * Upstash's REST protocol over `fetch`. A command is `POST /`, a list `POST /pipeline`, a transaction
 * `POST /multi-exec`; a command with one `Uint8Array` goes by its path, with the bytes as the body.
 *
 * Each request carries the newest sync token seen, so that this transport reads its own writes. It rejects as
 * `Transport` says; `fetch` cannot tell a request that was never sent from one whose reply was lost, so every failure
 * of it is `maybeExecuted`, except a refusal (401, 403, 429) and, on Node and Bun, a connection that was not made.
 */
export function createTransport({ url, token, session, timeoutMs, fetch, signal: common }: Endpoint): Transport {
  const post = async <T>(path: string, body: Body, read: (body: unknown) => T, call: Call = {}): Promise<T> => {
    const { signal = common?.(), deadline = now() + timeoutMs } = call
    if (signal?.aborted) throw signal.reason
    const stop = new AbortController()
    const onAbort = (): void => stop.abort(signal?.reason)
    const lost = (
      code: 'STORE_UNAVAILABLE' | 'TIMEOUT' | 'BAD_REPLY',
      message: string,
      cause?: unknown,
      maybeExecuted = true,
    ): HitherError => new HitherError(code, message, { cause, retryable: code !== 'BAD_REPLY', maybeExecuted })
    signal?.addEventListener('abort', onAbort)
    const cancel = setTimer(() => stop.abort(lost('TIMEOUT', 'no reply before the deadline')), deadline - now())
    try {
      for (let pause = 50; ; pause *= 2) {
        const headers: Record<string, string> = { authorization: `Bearer ${token}` }
        if (typeof body === 'string') headers['content-type'] = 'application/json'
        if (call.bytes) headers['upstash-encoding'] = 'base64'
        if (session.upstashSyncToken) headers['upstash-sync-token'] = session.upstashSyncToken
        const init: RequestInit = { method: 'POST', headers, body, signal: stop.signal, redirect: 'manual' }
        // Some platforms cache what `fetch` gets, others refuse the field.
        if ('cache' in Request.prototype) init.cache = 'no-store'
        let response: Response
        let text: string
        try {
          response = await fetch(url + path, init)
          text = await response.text()
        } catch (cause) {
          throw stop.signal.aborted
            ? stop.signal.reason
            : lost('STORE_UNAVAILABLE', 'no reply from the endpoint', cause, !UNSENT.test(reasonOf(cause)))
        }
        const { status } = response
        const header = (name: string): string => response.headers.get(name) ?? ''
        session.upstashSyncToken = header('upstash-sync-token') || session.upstashSyncToken
        const http = `HTTP ${status}: `
        if (status === 401 || status === 403) {
          throw new HitherError('UNAUTHORIZED', `${http}the endpoint refused the token`)
        }
        if (status > 499) throw lost('STORE_UNAVAILABLE', `${http}the endpoint failed`)
        if (status === 429) {
          const after = header('retry-after')
          const ms = Math.max(pause, Number(after) * 1000 || Date.parse(after) - now() || 0)
          if (now() + ms >= deadline) {
            throw new HitherError('OVERLOADED', `${http}too many requests`, { retryable: true })
          }
          await sleep(ms, stop.signal)
          continue
        }
        try {
          // What is no success can be an error reply (400), nothing else.
          if (status < 200 || (status > 299 && status < 400)) bad()
          return read(JSON.parse(text))
        } catch {
          throw lost('BAD_REPLY', `${http}no Upstash REST reply, check the url`)
        }
      }
    } finally {
      cancel()
      signal?.removeEventListener('abort', onAbort)
    }
  }

  const send: Transport['send'] = async ({ args }, call) => {
    const read = (body: unknown): Wire => item(body, call)
    const at = args.findIndex(isBytes)
    if (at < 0) return post('/', JSON.stringify(args), read, call)
    let path = ''
    args.forEach((arg, i) => {
      if (/^\.\.?$/.test(arg as string)) throw new HitherError('INVALID_KEY', 'no url can hold the key . or ..')
      const after = i - at - 1
      if (i !== at) path += (i < at ? '/' : after % 2 ? '=' : after ? '&' : '?') + encodeURIComponent(arg as string)
    })
    return post(path, args[at] as Uint8Array<ArrayBuffer>, read, call)
  }

  const list = (path: string, commands: readonly Command[], call?: Call): Promise<readonly Wire[] | ReplyError> =>
    post(
      path,
      JSON.stringify(commands.map(({ args }) => args)),
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
        // Raw bytes fit no JSON: one request each, in order.
        for (const command of commands) replies.push(await send(command, call))
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
    async close() {},
  }
}

/** What Node and Bun call a connection that was not made. */
const UNSENT = /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|UND_ERR_CONNECT_TIMEOUT|ConnectionRefused)$/

function reasonOf(error: unknown): string {
  const { code, cause } = error as { code?: string; cause?: { code?: string } }
  return cause?.code ?? code ?? ''
}

function isBytes(arg: unknown): boolean {
  return typeof arg === 'object'
}

function bad(): never {
  throw new SyntaxError()
}

/** `{ result }` or `{ error }` as a value. Throws for anything else. */
function item(body: unknown, call?: Call): Wire {
  const { error, result } = body as { error?: unknown; result?: unknown }
  return typeof error === 'string' ? new ReplyError(error) : wire(result, call?.bytes)
}

function wire(value: unknown, bytes: boolean | undefined): Wire {
  if (value === null || typeof value === 'number') return value
  if (typeof value === 'boolean') return +value
  if (Array.isArray(value)) return value.map((part) => wire(part, bytes))
  if (typeof value !== 'string') return bad()
  // A bare OK is a status: as base64 it would be `T0s=`.
  if (!bytes || value === 'OK') return value
  // A server that ignores the header sends text of any length.
  if (value.length % 4) bad()
  const binary = atob(value)
  const out = new Uint8Array(binary.length)
  for (let i = 0; i < out.length; i++) out[i] = binary.charCodeAt(i)
  return out
}
