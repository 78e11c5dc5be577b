import { HitherError } from '../errors.ts'
import { now } from '../runtime/clock.ts'
import { tell } from '../runtime/listener.ts'
import { randomBytes } from '../runtime/random.ts'
import { ReplyError, type Transport } from '../store/transport.ts'
import { type Access, type Caller, createAccess, createShares } from './access.ts'
import { createAnswer } from './answer.ts'
import { createBudget } from './budget.ts'
import { commandNamed, commandOf, type KnownCommand, mayPass } from './commands.ts'
import { createCors } from './cors.ts'
import { type GatewayAnswer, type GatewayBody, type GatewayRequest, json } from './messages.ts'
import { createMetrics } from './metrics.ts'
import { type GatewayEvent, type GatewayOptions, toSettings } from './options.ts'
import { type BatchPath, notAvailable } from './plan.ts'
import { readBody } from './read-body.ts'
import { answerToError, Refusal } from './refusal.ts'
import { commandByPath, parseCommand, parseCommands, segments } from './request.ts'
import { createRunner } from './run.ts'
import type { StreamKind } from './sources.ts'
import { createStreams, type Streams } from './streams.ts'
import { formatOf, routeOf, splitTarget } from './target.ts'
import type { Grant } from './tokens.ts'

export interface Gateway {
  (request: Request): Promise<Response>
  /** The same without fetch's Request and Response, which cost a server more than the gateway itself. */
  handle(request: GatewayRequest): Promise<GatewayAnswer>
}

/** What is known about a request when its response is logged. */
interface Trace {
  readonly route: string
  commands: number
  caller?: Caller
}

/** A request with its target and its caller. */
interface Visit {
  readonly request: GatewayRequest
  readonly path: string
  readonly query: string
  readonly caller: Caller
  readonly trace: Trace
}

/**
 * Upstash's REST protocol in front of any Redis, as a fetch handler: a command by body or by path, `/pipeline`,
 * `/multi-exec`, `/subscribe`, `/psubscribe` and `/monitor` as server-sent events; and `/healthz`, `/metrics`.
 * The commands of a transaction follow each other on their connection. If a client gives up its request, the commands still run
 * to their end, so that the connection to Redis stays in step. Nothing in a request can select a host, a port or a database;
 * a script may do all that the Redis user of the connection may.
 *
 * The handler responds to every request and never rejects. 400, 401, 405 and 413 are as Upstash; 408: the body did not arrive
 * in time; 503: no reply from Redis, or a bound was reached, with `Retry-After` if nothing ran. Throws `INVALID_ARGUMENT`
 * for options that make no sense.
 * https://upstash.com/docs/redis/features/restapi
 */
export function createGateway(options: GatewayOptions): Gateway {
  const { transport, onEvent } = options
  const settings = toSettings(options)
  const { maxBufferedBytes, maxBufferedAnswerBytes, maxConcurrent, maxAnswerBytes, answerTimeoutMs } = settings
  const access = createAccess(options)
  const cors = createCors(options.cors)
  const metrics = createMetrics()
  const bodies = createBudget(maxBufferedBytes)
  const answers = createBudget(maxBufferedAnswerBytes)
  const streams = createStreams(transport, settings, answers)
  const runner = createRunner(transport, settings, metrics)
  const waiting = createShares(maxConcurrent)
  const healthz = createHealth(transport, settings.timeoutMs)
  const nextSyncToken = createSyncTokens()

  const run = async ({ request, path, query, caller, trace }: Visit): Promise<GatewayAnswer> => {
    const { grant } = caller
    const format = formatOf(request, path)
    const batch = path === '/pipeline' || path === '/multi-exec' ? path : undefined
    if (!batch && path !== '/') checkName(path, grant)
    const body = await readBody(request, settings, bodies)
    try {
      const lines = batch
        ? parseCommands(body, settings)
        : [path === '/' ? parseCommand(body, settings) : commandByPath(path, query, body, settings)]
      trace.commands = lines.length
      if (!waiting.take(caller, 1, grant.maxConcurrent)) {
        throw new HitherError('OVERLOADED', 'too many requests wait for Redis', { retryable: true })
      }
      const room = { maxBytes: maxAnswerBytes, budget: answers, timeoutMs: answerTimeoutMs }
      const answer = createAnswer({ format, isBatch: batch !== undefined, ...room })
      try {
        const how: { path: BatchPath; bytes: boolean } = { path: batch ?? '/', bytes: format !== 'json' }
        await runner.run({ ...how, lines, grant, readsOnly: caller.readsOnly, answer })
        return answer.finish()
      } catch (error) {
        answer.drop()
        throw error
      } finally {
        waiting.give(caller.token, 1)
      }
    } finally {
      bodies.give(body.byteLength)
    }
  }

  const route = async (request: GatewayRequest, path: string, query: string, trace: Trace): Promise<GatewayAnswer> => {
    const preflight = cors.preflight(request)
    if (preflight) return preflight
    if (!/^(GET|HEAD|POST|PUT)$/.test(request.method)) throw new Refusal(405, 'ERR Method not allowed')
    if (path === '/healthz') return healthz()
    const caller = access.callerOf(request, query)
    trace.caller = caller
    cors.check(request, caller.grant)
    if (path === '/metrics') {
      if (!caller.grant.seesAll) throw new Refusal(400, 'NOPERM this token has no permissions to read /metrics')
      const held = { body_bytes_held: bodies.held, answer_bytes_held: answers.held }
      const text = metrics.text({ requests_in_flight: waiting.used, streams_open: streams.open, ...held })
      return { status: 200, headers: { 'content-type': 'text/plain; version=0.0.4' }, body: text }
    }
    if (/^\/(subscribe|psubscribe|monitor)(\/|$)/.test(path)) return startStream(path, caller, access, streams)
    return run({ request, path, query, caller, trace })
  }

  const handle = async (request: GatewayRequest): Promise<GatewayAnswer> => {
    const start = now()
    const [path, query] = splitTarget(request.target)
    const trace: Trace = { route: routeOf(path), commands: 0 }
    const answered = await route(request, path, query, trace).catch(answerToError)
    const ms = now() - start
    const { caller, ...known } = trace
    metrics.request(trace.route, answered.status, ms)
    const event = { type: 'request', status: answered.status, ms, ...known } as const
    tell<GatewayEvent>(onEvent, caller ? { ...event, token: caller.grant.name } : event)
    const shared = cors.headers(request, caller?.grant)
    const headers = { ...answered.headers, ...shared, 'upstash-sync-token': nextSyncToken() }
    if (request.method !== 'HEAD') return { ...answered, headers }
    if (answered.body instanceof ReadableStream) await answered.body.cancel()
    return { ...answered, headers, body: null }
  }
  return Object.assign(toFetchHandler(handle), { handle })
}

/** Refuses a command by the name in its path, before its body is read. Throws a `Refusal`. */
function checkName(path: string, grant: Grant): void {
  const [name = '', ...rest] = segments(path)
  const args = [name.toUpperCase(), ...rest]
  const command = commandOf(args)
  if (!command) return
  if (!mayPass(command, args)) throw new Refusal(400, notAvailable(args))
  const refused = grant.refusalByName(command)
  if (refused !== undefined) throw new Refusal(400, refused)
}

async function startStream(path: string, caller: Caller, access: Access, streams: Streams): Promise<GatewayAnswer> {
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
  let checked = access.grants()
  const error = refusalOf(checked(caller.token))
  if (error !== undefined) throw new Refusal(400, error)
  const mayGoOn = (): boolean => {
    const latest = access.grants()
    if (latest !== checked && refusalOf(latest(caller.token)) !== undefined) return false
    checked = latest
    return true
  }
  const body = await streams.start({ kind, names, caller, mayGoOn })
  return { status: 200, headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' }, body }
}

/** Asks Redis for its health. Requests that arrive while a PING is under way share it. */
function createHealth(transport: Transport, timeoutMs: number): () => Promise<GatewayAnswer> {
  let asking: Promise<GatewayAnswer> | undefined
  const ask = async (): Promise<GatewayAnswer> => {
    try {
      const reply = await transport.send({ args: ['PING'], effect: 'read' }, { deadline: now() + timeoutMs })
      const word = reply instanceof ReplyError ? reply.word : ''
      // Redis serves reads. It stays in service although it cannot save, or its user may not PING.
      if (word === 'MISCONF') return json(200, { status: 'ok', writes: 'refused: Redis cannot save (MISCONF)' })
      if (word === '' || word === 'NOPERM') return json(200, { status: 'ok' })
    } catch {
      // the response below reports it
    } finally {
      asking = undefined
    }
    return json(503, { status: 'no answer from Redis' })
  }
  return () => {
    asking ??= ask()
    return asking
  }
}

function toFetchHandler(handle: Gateway['handle']): (request: Request) => Promise<Response> {
  return async (request) => {
    const { pathname, search } = new URL(request.url)
    const { body, ...init } = await handle({
      method: request.method,
      target: pathname + search,
      header: (name) => request.headers.get(name),
      body: request.body && toBody(request.body),
    })
    // The client is gone, so nobody would read or cancel the stream.
    if (!(request.signal.aborted && body instanceof ReadableStream)) return new Response(body, init)
    await body.cancel()
    return new Response(null, init)
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

/** Returns a new token at each call: a random prefix for this process, and a count. */
function createSyncTokens(): () => string {
  let start: string | undefined
  let count = 0
  return () => {
    start ??= btoa(String.fromCharCode(...randomBytes(12)))
    return `${start}:${(count++).toString(36)}`
  }
}
