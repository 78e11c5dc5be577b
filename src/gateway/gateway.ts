import { HitherError, isHitherError, StoreRejectedError } from '../errors.ts'
import { now } from '../runtime/clock.ts'
import { tell } from '../runtime/listener.ts'
import { randomBytes } from '../runtime/random.ts'
import { type Command, ReplyError, type Transport, type Wire } from '../store/transport.ts'
import { commandNamed, commandOf, effectOf, formOf, type KnownCommand, mayPass } from './commands.ts'
import { emulate } from './emulate.ts'
import { createMetrics } from './metrics.ts'
import { Refusal } from './refusal.ts'
import { toItem } from './reply.ts'
import {
  type Caps,
  commandByPath,
  type GatewayBody,
  type GatewayRequest,
  type Held,
  parseCommand,
  parseCommands,
  readBody,
  segments,
} from './request.ts'
import { toResp2 } from './resp2.ts'
import { createScriptFlags } from './scripts.ts'
import { createStreams, type StreamKind } from './streams.ts'
import { createGrants, type GatewayToken, type Grant, toReadOnly } from './tokens.ts'

export type GatewayTokens = readonly (string | GatewayToken)[]

/** As a log has it: no key, no value, no token. */
export type GatewayEvent = GatewayRequestEvent | { readonly type: 'tokens-refused'; readonly reason: string }

export interface GatewayRequestEvent {
  readonly type: 'request'
  /** `command`, `pipeline`, `multi-exec`, `subscribe`, `psubscribe`, `monitor`, `healthz`, `metrics`. */
  readonly route: string
  readonly status: number
  readonly ms: number
  /** How many commands it held. */
  readonly commands: number
  /** The name of its token; absent without one. */
  readonly token?: string
}

export interface GatewayOptions extends Partial<Caps> {
  /** The way to the server behind. Commands go out raw, replies come back raw. */
  readonly transport: Transport
  /**
   * Who may do what: at least one token; a text is one with the role `full`. A function is asked at every request and
   * answers the same list until the tokens change; a list that makes no sense is an event, and the last one stays.
   */
  readonly tokens: GatewayTokens | (() => GatewayTokens)
  /** Also takes the token as `?_token=`, where logs and browsers may keep it: for EventSource. @default false */
  readonly queryToken?: boolean
  /** How long the server behind may take for one request, or to open a stream, in milliseconds. @default 5000 */
  readonly timeoutMs?: number
  /** Most requests that wait for the server at a time; one more is 503. @default 20_000 */
  readonly maxConcurrent?: number
  /**
   * Most channels and patterns that streams of /subscribe, /psubscribe and /monitor listen to at a time, counted for
   * each stream; one more is 503. @default 1000
   */
  readonly maxStreams?: number
  /** Between two signs of life on a stream, in milliseconds. @default 15_000 */
  readonly heartbeatMs?: number
  /** Told of every request that was answered, and of tokens that make no sense. What it throws is dropped. */
  readonly onEvent?: (event: GatewayEvent) => void
}

export interface GatewayAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** A stream is that of server-sent events: cancel it when its client goes away. */
  readonly body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null
}

export interface Gateway {
  (request: Request): Promise<Response>
  /** The same without the objects of fetch, which cost a server more than the gateway does. */
  handle(request: GatewayRequest): Promise<GatewayAnswer>
}

type Args = Command['args']
type Format = 'json' | 'base64' | 'resp2'

/** What is known of a request by the time it is answered. */
interface Trace {
  route: string
  commands: number
  token?: string
}

/** The document that says what is refused, and why. */
const REFUSED = "See the gateway's documentation, What is refused"
const JSON_TYPE = 'application/json'

/**
 * Upstash's REST protocol in front of any Redis, as a fetch handler: a command by body or by path, `/pipeline`,
 * `/multi-exec`, `/subscribe`, `/psubscribe` and `/monitor` as server-sent events; and `/healthz`, `/metrics`.
 * A transaction is contiguous on its connection; a request that its client gives up runs to its end, so the connection
 * behind stays in step. Nothing in a request selects a host, port or database; a script may do what the Redis user
 * behind may.
 *
 * It answers every request and never rejects: 400, 401, 405, 413 as Upstash; 408 for a body that does not come; 503
 * without an answer from Redis or past a bound, with `Retry-After` where nothing ran. Throws `INVALID_ARGUMENT` for
 * options that make no sense.
 * https://upstash.com/docs/redis/features/restapi
 */
export function createGateway(options: GatewayOptions): Gateway {
  const { transport, tokens, queryToken = false, onEvent } = options
  const caps = toCaps(options)
  const { timeoutMs = 5000, maxConcurrent = 20_000, maxStreams = 1000, heartbeatMs = 15_000 } = options
  checkNumbers({ ...caps, timeoutMs, maxConcurrent, maxStreams, heartbeatMs })
  const translate = createScriptFlags()
  const metrics = createMetrics()
  const streams = createStreams(transport, { maxStreams, heartbeatMs, timeoutMs })
  const nextSyncToken = createSyncTokens()
  const held: Held = { bytes: 0 }
  let concurrent = 0

  const emit = (event: GatewayEvent): void => tell(onEvent, event)
  const read = typeof tokens === 'function' ? tokens : () => tokens
  let list = read()
  let grantOf = createGrants(list)
  /** By the tokens as they are now. */
  const grants = (): typeof grantOf => {
    try {
      const latest = read()
      if (latest === list) return grantOf
      list = latest
      grantOf = createGrants(latest)
    } catch (error) {
      emit({ type: 'tokens-refused', reason: (error as Error).message })
    }
    return grantOf
  }

  /** Runs what may run, in order; a refusal of one command of a pipeline is its reply. */
  const run = async (path: string, lines: readonly Args[], grant: Grant, bytes: boolean): Promise<Wire[]> => {
    const replies: Wire[] = []
    const commands: Command[] = []
    const places: {
      readonly at: number
      readonly name: string
      readonly loaded: string | undefined
      readonly withTypes: boolean
    }[] = []
    for (const [at, given] of lines.entries()) {
      const command = commandOf(given)
      const error = mayPass(command, given)
        ? grant.refusal(command, given)
        : `ERR Command is not available: '${formOf(command, given)}'. ${REFUSED}`
      if (error !== undefined || !command) {
        if (path !== '/pipeline') throw new Refusal(400, error as string)
        replies[at] = new ReplyError(error as string)
        continue
      }
      const { args: meant, reply, withTypes = false } = emulate(grant.readOnly ? toReadOnly(given) : given)
      if (reply !== undefined) {
        replies[at] = reply
        continue
      }
      const { args, loaded } = await translate(meant)
      commands.push({ args, effect: effectOf(command) })
      places.push({ at, name: command.name, loaded, withTypes })
    }
    const [first] = commands
    if (!first) return replies
    // A key must come as bytes to be asked for again.
    const call = { deadline: now() + timeoutMs, bytes: bytes || places.some(({ withTypes }) => withTypes) }
    const answers =
      path === '/multi-exec'
        ? await transport.transaction(commands, call)
        : commands.length === 1
          ? [await transport.send(first, call)]
          : await transport.sendMany(commands, call)
    for (const [i, { at, name, loaded, withTypes }] of places.entries()) {
      const reply = answers[i] ?? null
      metrics.command(name, reply instanceof ReplyError)
      if (withTypes) replies[at] = await addTypes(transport, reply, call)
      else replies[at] = loaded !== undefined && name === 'SCRIPT LOAD' && isText(reply) ? loaded : reply
    }
    return replies
  }

  const stream = async (given: string, path: string): Promise<GatewayAnswer> => {
    const [word = '', ...channels] = segments(path)
    const kind = word.toUpperCase() as StreamKind
    const command = commandNamed(kind) as KnownCommand
    if (channels.length === 0 && kind !== 'MONITOR') throw new Refusal(400, `ERR no channel: use /${word}/<channel>`)
    const names = kind === 'MONITOR' ? [''] : channels
    const refusalOf = (grant: Grant | undefined): string | undefined => {
      for (const name of names) {
        const error = grant ? grant.refusal(command, [kind, name]) : 'WRONGPASS'
        if (error !== undefined) return error
      }
      return undefined
    }
    let asked = grants()
    const error = refusalOf(asked(given))
    if (error !== undefined) throw new Refusal(400, error)
    const mayGoOn = (): boolean => {
      const latest = grants()
      if (latest !== asked && refusalOf(latest(given)) !== undefined) return false
      asked = latest
      return true
    }
    const body = await streams.start(kind, names, mayGoOn)
    return { status: 200, headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' }, body }
  }

  let health: Promise<boolean> | undefined
  /** One PING for all that ask meanwhile. */
  const isHealthy = (): Promise<boolean> => {
    health ??= transport
      .send({ args: ['PING'], effect: 'read' }, { deadline: now() + timeoutMs })
      .then(
        (reply) => !(reply instanceof ReplyError),
        () => false,
      )
      .finally(() => {
        health = undefined
      })
    return health
  }

  const answer = async (request: GatewayRequest, path: string, query: string, trace: Trace): Promise<GatewayAnswer> => {
    const { method } = request
    if (!/^(GET|HEAD|POST|PUT)$/.test(method)) throw new Refusal(405, 'ERR Method not allowed')
    if (path === '/healthz') {
      const healthy = await isHealthy()
      return json(healthy ? 200 : 503, { status: healthy ? 'ok' : 'no answer from Redis' })
    }
    const [, bearer] = /^Bearer (.+)$/i.exec(request.header('authorization') ?? '') ?? []
    const given = bearer ?? (queryToken && new URLSearchParams(query).get('_token')) ?? ''
    const grant = given ? grants()(given) : undefined
    if (!given || !grant) throw new Refusal(401, 'WRONGPASS invalid or missing auth token')
    trace.token = grant.name
    if (path === '/metrics') {
      if (!grant.seesAll) throw new Refusal(400, 'NOPERM this token has no permissions to read /metrics')
      const gauges = { requests_in_flight: concurrent, streams_open: streams.open, body_bytes_held: held.bytes }
      return { status: 200, headers: { 'content-type': 'text/plain; version=0.0.4' }, body: metrics.text(gauges) }
    }
    const format = formatOf(request, path)
    if (/^\/(subscribe|psubscribe|monitor)(\/|$)/.test(path)) return stream(given, path)
    const body = await readBody(request, caps, held)
    try {
      const isBatch = path === '/pipeline' || path === '/multi-exec'
      const lines = isBatch
        ? parseCommands(body, caps)
        : [path === '/' ? parseCommand(body, caps) : commandByPath(path, query, body, caps)]
      trace.commands = lines.length
      if (concurrent >= maxConcurrent) {
        throw new HitherError('OVERLOADED', `${maxConcurrent} requests wait for Redis`, { retryable: true })
      }
      concurrent++
      try {
        const replies = await run(isBatch ? path : '/', lines, grant, format !== 'json')
        return isBatch ? answerOf(200, replies, format, true) : answerOf(undefined, replies[0] as Wire, format, false)
      } finally {
        concurrent--
      }
    } finally {
      held.bytes -= body.byteLength
    }
  }

  const handle = async (request: GatewayRequest): Promise<GatewayAnswer> => {
    const start = now()
    const [path, query] = splitTarget(request.target)
    const trace: Trace = { route: routeOf(path), commands: 0 }
    let result: GatewayAnswer
    try {
      result = await answer(request, path, query, trace)
    } catch (error) {
      result = refuse(error)
    }
    const ms = now() - start
    metrics.request(trace.route, result.status, ms)
    emit({ type: 'request', status: result.status, ms, ...trace })
    const headers = { ...result.headers, 'upstash-sync-token': nextSyncToken() }
    if (request.method !== 'HEAD') return { ...result, headers }
    if (result.body instanceof ReadableStream) await result.body.cancel()
    return { ...result, headers, body: null }
  }

  const gateway = async (request: Request): Promise<Response> => {
    const { pathname, search } = new URL(request.url)
    const { body, ...init } = await handle({
      method: request.method,
      target: pathname + search,
      header: (name) => request.headers.get(name),
      body: request.body && toBody(request.body),
    })
    // Nobody is left to read or to cancel it.
    if (!(request.signal.aborted && body instanceof ReadableStream)) return new Response(body, init)
    await body.cancel()
    return new Response(null, init)
  }
  return Object.assign(gateway, { handle })
}

function toCaps(options: GatewayOptions): Caps {
  const { maxBodyBytes = 10_000_000 } = options
  return {
    maxBodyBytes,
    maxCommands: options.maxCommands ?? 10_000,
    maxArguments: options.maxArguments ?? 100_000,
    maxKeyBytes: options.maxKeyBytes ?? 32_768,
    maxValueBytes: options.maxValueBytes ?? maxBodyBytes,
    bodyTimeoutMs: options.bodyTimeoutMs ?? 30_000,
    maxBufferedBytes: options.maxBufferedBytes ?? Math.max(268_435_456, maxBodyBytes),
  }
}

function checkNumbers(options: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (!(Number.isSafeInteger(value) && value > 0)) {
      throw new HitherError('INVALID_ARGUMENT', `${name} is a whole number above 0`)
    }
  }
}

/** Both spellings of the header occur in Upstash's documentation. */
function formatOf(request: GatewayRequest, path: string): Format {
  const asked = request.header('upstash-response-format') ?? request.header('upstash-reponse-format') ?? 'json'
  const base64 = request.header('upstash-encoding')?.toLowerCase() === 'base64'
  const format = asked.toLowerCase()
  if (format !== 'json' && format !== 'resp2') throw new Refusal(400, 'ERR the response format is json or resp2')
  if (format === 'json') return base64 ? 'base64' : 'json'
  if (base64) throw new Refusal(400, 'ERR resp2 cannot be encoded as base64')
  if (path === '/multi-exec') throw new Refusal(400, 'ERR resp2 is not available for /multi-exec')
  return 'resp2'
}

function answerOf(given: number | undefined, reply: Wire, format: Format, isBatch: boolean): GatewayAnswer {
  const status = given ?? (reply instanceof ReplyError ? 400 : 200)
  if (format === 'resp2') {
    return { status, headers: { 'content-type': 'application/octet-stream' }, body: toResp2(reply, isBatch) }
  }
  const item = (each: Wire): unknown => toItem(each, format === 'base64')
  return json(status, isBatch ? (reply as readonly Wire[]).map(item) : item(reply))
}

function json(status: number, body: unknown, headers: Record<string, string> = {}): GatewayAnswer {
  return { status, headers: { 'content-type': JSON_TYPE, ...headers }, body: JSON.stringify(body) }
}

function refuse(error: unknown): GatewayAnswer {
  if (error instanceof Refusal) {
    return json(error.status, { error: error.message }, error.status === 503 ? { 'retry-after': '1' } : {})
  }
  if (error instanceof StoreRejectedError) {
    const { command, reply } = error
    if (reply === 'TOOLARGE') return json(400, { error: 'TOOLARGE the transaction ran, its replies were not kept' })
    return json(400, { error: `EXECABORT Transaction discarded because of previous errors: ${command}: ${reply}` })
  }
  const known = isHitherError(error)
  const maybe = !known || error.maybeExecuted
  const text = `ERR upstream ${known ? error.code : 'INTERNAL'}: no answer from Redis`
  // Where a command may have run, nothing invites a client to send it again.
  if (maybe) return json(503, { error: `${text}, the command may have run` })
  return json(503, { error: `${text}, nothing ran` }, { 'retry-after': '1' })
}

/** The keys of a SCAN, each with its type behind it; what has gone meanwhile is left out. */
async function addTypes(transport: Transport, reply: Wire, call: { readonly deadline: number }): Promise<Wire> {
  if (!Array.isArray(reply)) return reply
  const [cursor, keys] = reply as unknown as readonly [Wire, readonly (string | Uint8Array)[]]
  const types = await transport.sendMany(
    keys.map((key): Command => ({ args: ['TYPE', key], effect: 'read' })),
    call,
  )
  const failed = types.find((type) => type instanceof ReplyError)
  if (failed) return failed
  return [cursor, keys.flatMap((key, i): Wire[] => (types[i] === 'none' ? [] : [key, types[i] as string]))]
}

function isText(reply: Wire): boolean {
  return typeof reply === 'string' || reply instanceof Uint8Array
}

/** `/path?query`, also of a request that names its host, or ends its route with a slash. */
function splitTarget(target: string): [path: string, query: string] {
  const local = target.startsWith('/') ? target : target.replace(/^[a-z]+:\/\/[^/?]*/i, '')
  const at = local.indexOf('?')
  const path = (at < 0 ? local : local.slice(0, at)) || '/'
  return [
    /^\/(pipeline|multi-exec|healthz|metrics)\/$/.test(path) ? path.slice(0, -1) : path,
    at < 0 ? '' : local.slice(at + 1),
  ]
}

function routeOf(path: string): string {
  return /^\/(pipeline|multi-exec|subscribe|psubscribe|monitor|healthz|metrics)(?:\/|$)/.exec(path)?.[1] ?? 'command'
}

/** Each one is new: a random start of this process, and a count. */
function createSyncTokens(): () => string {
  let start: string | undefined
  let count = 0
  return () => {
    start ??= btoa(String.fromCharCode(...randomBytes(12)))
    return `${start}:${(count++).toString(36)}`
  }
}

function toBody(stream: ReadableStream<Uint8Array>): GatewayBody {
  const reader = stream.getReader()
  return {
    async next() {
      return (await reader.read()).value
    },
    cancel: () => reader.cancel(),
  }
}
