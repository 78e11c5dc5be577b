import { checkWhole } from '../protocol/arguments.ts'
import type { Transport } from '../store/transport.ts'
import { checkOrigins } from './cors.ts'
import type { GatewayToken } from './tokens.ts'

export type GatewayTokens = readonly (string | GatewayToken)[]

/** An event for a log. It has no key, no value and no token. */
export type GatewayEvent = GatewayRequestEvent | { readonly type: 'tokens-refused'; readonly reason: string }

export interface GatewayRequestEvent {
  readonly type: 'request'
  /** `command`, `pipeline`, `multi-exec`, `subscribe`, `psubscribe`, `monitor`, `healthz`, `metrics`. */
  readonly route: string
  readonly status: number
  readonly ms: number
  /** Number of commands in the request. */
  readonly commands: number
  /** Name of the token; absent if the request had none that is known. */
  readonly token?: string
}

/** Bounds of one request. */
export interface Caps {
  /** Largest request body in bytes. A larger one is refused while it is read. @default 10_000_000, as Upstash */
  readonly maxBodyBytes: number
  /** Most commands in one pipeline or transaction. @default 10_000 */
  readonly maxCommands: number
  /** Most arguments of one command, with its name. A whole request may have ten times as many. @default 100_000 */
  readonly maxArguments: number
  /** Longest key in bytes. @default 32_768, as Upstash */
  readonly maxKeyBytes: number
  /** Largest argument in bytes. @default `maxBodyBytes` */
  readonly maxValueBytes: number
  /** How long a body may take to arrive, in milliseconds. @default 30_000 */
  readonly bodyTimeoutMs: number
  /** Bytes that the bodies of all requests may hold at once; one more is 503. @default 256 MiB, `maxBodyBytes` if that is more */
  readonly maxBufferedBytes: number
}

export interface GatewayOptions extends Partial<Caps> {
  /** The transport to the server behind. Commands go out raw, replies come back raw. */
  readonly transport: Transport
  /**
   * The tokens, at least one, with their rights. A text is a token with the role `full`. A function is called at every request
   * and must return the same list until the tokens change. If a new list makes no sense, an event reports it and the last stays.
   */
  readonly tokens: GatewayTokens | (() => GatewayTokens)
  /**
   * Also takes the token as `?_token=`, for EventSource. Logs and browsers may keep such a url. A request that writes is then
   * refused if a page of another site sent it (`Sec-Fetch-Site: cross-site`). @default false
   */
  readonly queryToken?: boolean
  /**
   * Origins whose pages may read responses (`https://app.example.com`), or `['*']`; with read-only tokens only. A request from
   * such a page with another token is refused. @default none
   */
  readonly cors?: readonly string[]
  /** How long the server behind may take for one request, or to open a stream, in milliseconds. @default 5000 */
  readonly timeoutMs?: number
  /**
   * Most requests that wait for the server at once; one more is 503. If there are several tokens, each may have half of this
   * number, unless the token sets its own. @default 20_000
   */
  readonly maxConcurrent?: number
  /**
   * Most channels and patterns that the streams of /subscribe, /psubscribe and /monitor listen to at once; a channel counts for
   * each stream. One more is 503. If there are several tokens, each may have half of this number, unless the token sets its own.
   * @default 1000
   */
  readonly maxStreams?: number
  /** Most channels or patterns of one stream; one more is 400. @default 100, or `maxStreams` if that is less */
  readonly maxChannels?: number
  /** Time between two pings on a stream, in milliseconds. @default 15_000 */
  readonly heartbeatMs?: number
  /** Largest response to one request in bytes. A reply that does not fit becomes `TOOLARGE` in its place. @default 128 MiB */
  readonly maxAnswerBytes?: number
  /**
   * Bytes that all responses and streams may hold at once, from the reply until they are written. A request whose response would
   * exceed this is 503. @default 256 MiB, or `maxAnswerBytes` if that is more
   */
  readonly maxBufferedAnswerBytes?: number
  /** How long a large response waits for its reader to take the next piece (64 KiB), in milliseconds. @default 30_000 */
  readonly answerTimeoutMs?: number
  /** Called after every response, and for a list of tokens that makes no sense. Errors that it throws are ignored. */
  readonly onEvent?: (event: GatewayEvent) => void
}

/** The numeric options with their values. */
export interface Settings extends Caps {
  readonly timeoutMs: number
  readonly maxConcurrent: number
  readonly maxStreams: number
  readonly maxChannels: number
  readonly heartbeatMs: number
  readonly maxAnswerBytes: number
  readonly maxBufferedAnswerBytes: number
  readonly answerTimeoutMs: number
}

/** Throws `INVALID_ARGUMENT` for a number or an origin that makes no sense. */
export function toSettings(options: GatewayOptions): Settings {
  const { maxBodyBytes = 10_000_000, maxStreams = 1000, maxAnswerBytes = 134_217_728 } = options
  const settings: Settings = {
    maxBodyBytes,
    maxCommands: options.maxCommands ?? 10_000,
    maxArguments: options.maxArguments ?? 100_000,
    maxKeyBytes: options.maxKeyBytes ?? 32_768,
    maxValueBytes: options.maxValueBytes ?? maxBodyBytes,
    bodyTimeoutMs: options.bodyTimeoutMs ?? 30_000,
    maxBufferedBytes: options.maxBufferedBytes ?? Math.max(268_435_456, maxBodyBytes),
    timeoutMs: options.timeoutMs ?? 5000,
    maxConcurrent: options.maxConcurrent ?? 20_000,
    maxStreams,
    maxChannels: options.maxChannels ?? Math.min(100, maxStreams),
    heartbeatMs: options.heartbeatMs ?? 15_000,
    maxAnswerBytes,
    maxBufferedAnswerBytes: options.maxBufferedAnswerBytes ?? Math.max(268_435_456, maxAnswerBytes),
    answerTimeoutMs: options.answerTimeoutMs ?? 30_000,
  }
  for (const [name, value] of Object.entries(settings)) {
    checkWhole(value, name, 1)
  }
  checkOrigins(options.cors)
  return settings
}
