import { HitherError, isHitherError, StoreRejectedError } from '../errors.ts'
import { now } from '../runtime/clock.ts'
import { randomBytes, randomId } from '../runtime/random.ts'
import type { Command, Transport } from '../store/transport.ts'
import { effectOf, isAllowed } from './commands.ts'
import { type Item, toItem } from './reply.ts'
import { createScriptFlags } from './scripts.ts'

export { createScriptFlags, type Translated } from './scripts.ts'

export interface GatewayOptions {
  /** The way to the server behind. Commands go out raw, replies come back raw. */
  readonly transport: Transport
  /** Bearer tokens that may do everything the gateway lets through. At least one, none empty. */
  readonly tokens: readonly string[]
  /** Largest request body in bytes; a larger one is refused while it is read. @default 10 MB, as Upstash */
  readonly maxBodyBytes?: number
  /** Most commands in one pipeline or transaction. @default 10_000 */
  readonly maxCommands?: number
  /** How long the server behind may take for one request, in milliseconds. @default 5000 */
  readonly timeoutMs?: number
}

export type Gateway = (request: Request) => Promise<Response>

class Refusal extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** The document that says what is refused, and why. */
const REFUSED = "See the gateway's documentation, What is refused"

type Args = Command['args']

/**
 * Upstash's REST protocol in front of any Redis, as a fetch handler: a command by body or by path, `/pipeline`,
 * `/multi-exec`, bearer tokens, base64 and the sync token. A transaction is contiguous on its connection; a request
 * that its client gives up runs to its end, so the connection behind stays in step. Nothing in a request selects a
 * host, port or database; a script may do what the Redis user behind may.
 *
 * It answers every request and never rejects: 400, 401, 405, 413 as Upstash; 503 without an answer from Redis, with
 * `Retry-After` where nothing ran. Throws `INVALID_ARGUMENT` for options that make no sense.
 * https://upstash.com/docs/redis/features/restapi
 */
export function createGateway(options: GatewayOptions): Gateway {
  const { transport, tokens, maxBodyBytes = 10_000_000, maxCommands = 10_000, timeoutMs = 5000 } = options
  if (tokens.length === 0 || tokens.some((token) => !/^[!-~]+$/.test(token))) {
    throw new HitherError('INVALID_ARGUMENT', 'tokens: give at least one, each of visible ASCII characters')
  }
  for (const [name, value] of Object.entries({ maxBodyBytes, maxCommands, timeoutMs })) {
    if (!(Number.isSafeInteger(value) && value > 0)) {
      throw new HitherError('INVALID_ARGUMENT', `${name} is a whole number above 0`)
    }
  }
  const translate = createScriptFlags()
  const isToken = createTokenCheck(tokens)

  const run = async (path: string, list: readonly Args[], base64: boolean): Promise<Item[]> => {
    const items: Item[] = []
    const commands: Command[] = []
    const places: { readonly at: number; readonly loaded: string | undefined }[] = []
    for (const [at, args] of list.entries()) {
      if (!isAllowed(args)) {
        const error = `ERR Command is not available: '${String(args[0]).slice(0, 32)}'. ${REFUSED}`
        if (path !== '/pipeline') throw new Refusal(400, error)
        items[at] = { error }
        continue
      }
      const { args: sent, loaded } = await translate(args)
      commands.push({ args: sent, effect: effectOf(args) })
      places.push({ at, loaded })
    }
    const [first] = commands
    if (!first) return items
    const call = { deadline: now() + timeoutMs, bytes: base64 }
    const replies =
      path === '/multi-exec'
        ? await transport.transaction(commands, call)
        : commands.length === 1
          ? [await transport.send(first, call)]
          : await transport.sendMany(commands, call)
    places.forEach(({ at, loaded }, i) => {
      const reply = replies[i] ?? null
      const isText = typeof reply === 'string' || reply instanceof Uint8Array
      const own = loaded !== undefined && list[at]?.[0] === 'SCRIPT' && isText
      items[at] = toItem(own ? loaded : reply, base64)
    })
    return items
  }

  const answer = async (request: Request): Promise<Response> => {
    const { method, headers } = request
    const url = new URL(request.url)
    if (!/^(GET|HEAD|POST|PUT)$/.test(method)) throw new Refusal(405, 'ERR Method not allowed')
    const [, token] = /^Bearer (.+)$/i.exec(headers.get('authorization') ?? '') ?? []
    if (!token || !(await isToken(token))) throw new Refusal(401, 'WRONGPASS invalid or missing auth token')
    // Both spellings occur in Upstash's documentation.
    const format = headers.get('upstash-response-format') ?? headers.get('upstash-reponse-format') ?? 'json'
    if (format.toLowerCase() !== 'json') throw new Refusal(400, 'ERR the response format is json, no other')
    const base64 = headers.get('upstash-encoding')?.toLowerCase() === 'base64'
    const body = await readBody(request, maxBodyBytes)
    const path = url.pathname
    if (path === '/pipeline' || path === '/multi-exec') {
      const list = parse(body)
      if (!Array.isArray(list)) throw new Refusal(400, 'ERR Command pipeline is not an array')
      if (list.length > maxCommands) throw new Refusal(400, `ERR a request may have ${maxCommands} commands`)
      if (list.length === 0) throw new Refusal(400, 'ERR empty pipeline request')
      return json(200, await run(path, list.map(toArgs), base64))
    }
    const [item] = (await run('/', [toArgs(path === '/' ? parse(body) : byPath(url, body))], base64)) as [Item]
    return json('error' in item ? 400 : 200, item)
  }

  return async (request) => {
    let response: Response
    try {
      response = await answer(request)
    } catch (error) {
      response = refuse(error)
    }
    if (request.method !== 'HEAD') return response
    return new Response(null, response)
  }
}

function json(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json', 'upstash-sync-token': randomId(), ...headers },
  })
}

function refuse(error: unknown): Response {
  if (error instanceof Refusal) return json(error.status, { error: error.message })
  if (error instanceof StoreRejectedError) {
    const { command, reply } = error
    return json(400, { error: `EXECABORT Transaction discarded because of previous errors: ${command}: ${reply}` })
  }
  const known = isHitherError(error)
  const maybe = !known || error.maybeExecuted
  const text = `ERR upstream ${known ? error.code : 'INTERNAL'}: no answer from Redis`
  // Where a command may have run, nothing invites a client to send it again.
  if (maybe) return json(503, { error: `${text}, the command may have run` })
  return json(503, { error: `${text}, nothing ran` }, { 'retry-after': '1' })
}

/** A command's name in upper case (a client library reshapes replies by lower-case names), then its arguments. */
function toArgs(args: unknown): Args {
  if (!Array.isArray(args) || args.length === 0) throw new Refusal(400, 'ERR Command is not an array')
  return args.map((arg, i) => (i === 0 ? String(toArg(arg)).toUpperCase() : toArg(arg)))
}

function toArg(arg: unknown): string | Uint8Array {
  if (typeof arg === 'string' || arg instanceof Uint8Array) return arg
  if (typeof arg === 'number' && Number.isInteger(arg) && !Number.isSafeInteger(arg)) {
    throw new Refusal(400, 'ERR send an integer beyond 2^53 as a string')
  }
  if (typeof arg === 'number' || typeof arg === 'boolean' || arg === null) return String(arg)
  throw new Refusal(400, 'ERR an argument is a string, a number or a boolean')
}

/** `/set/key?EX=100` with a body: the body is the argument after the path, the query pairs follow it. */
function byPath(url: URL, body: Uint8Array): unknown[] {
  let args: unknown[]
  try {
    args = url.pathname.slice(1).split('/').map(decodeURIComponent)
  } catch {
    throw new Refusal(400, 'ERR the path is not percent-encoded UTF-8')
  }
  // SET by path without a value in it: an empty body is the empty value.
  if (body.length > 0 || (args.length === 2 && /^set$/i.test(String(args[0])))) args.push(textOf(body) ?? body)
  for (const [name, value] of url.searchParams) {
    if (name === '_token') continue
    args.push(name)
    if (value !== '') args.push(value)
  }
  return args
}

/** As text where it is text, so that what a command means does not depend on the way its words came. */
function textOf(body: Uint8Array, ignoreBOM = true): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM }).decode(body)
  } catch {
    return undefined
  }
}

type Reviver = (key: string, value: unknown, context?: { readonly source?: string }) => unknown

/** A number of many digits stays the text it came as, where the runtime tells. */
const keepDigits: Reviver = (_, value, context) => (typeof value === 'number' && context?.source) || value

function parse(body: Uint8Array): unknown {
  const text = textOf(body, false)
  try {
    if (text !== undefined) return /\d{16}/.test(text) ? JSON.parse(text, keepDigits) : JSON.parse(text)
  } catch {
    // said below, without the text
  }
  throw new Refusal(400, 'ERR Failed to parse the request body as JSON')
}

async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = (): Refusal => new Refusal(413, 'ERR max request size exceeded')
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge()
  if (!request.body) return new Uint8Array(0)
  const parts: Uint8Array[] = []
  let size = 0
  const reader = request.body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    size += value.byteLength
    if (size > maxBytes) {
      await reader.cancel()
      throw tooLarge()
    }
    parts.push(value)
  }
  if (parts.length === 1) return parts[0] as Uint8Array
  const body = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    body.set(part, at)
    at += part.byteLength
  }
  return body
}

/** Compares digests under a key of this process, every byte of every token, whatever matches. */
function createTokenCheck(tokens: readonly string[]): (token: string) => Promise<boolean> {
  const text = new TextEncoder()
  let secret: Promise<{ readonly key: CryptoKey; readonly wanted: readonly Uint8Array[] }> | undefined
  const mac = async (key: CryptoKey, token: string): Promise<Uint8Array> =>
    new Uint8Array(await crypto.subtle.sign('HMAC', key, text.encode(token)))
  const prepare = async (): Promise<{ readonly key: CryptoKey; readonly wanted: readonly Uint8Array[] }> => {
    const key = await crypto.subtle.importKey('raw', randomBytes(32), { name: 'HMAC', hash: 'SHA-256' }, false, [
      'sign',
    ])
    return { key, wanted: await Promise.all(tokens.map((token) => mac(key, token))) }
  }
  return async (token) => {
    secret ??= prepare()
    const { key, wanted } = await secret
    const given = await mac(key, token)
    let match = false
    for (const each of wanted) {
      let difference = 0
      for (let i = 0; i < each.length; i++) difference |= (each[i] as number) ^ (given[i] as number)
      match = difference === 0 || match
    }
    return match
  }
}
