import { checkWhole } from '../protocol/arguments.ts'
import type { Transport } from '../store/transport.ts'
import { checkOrigins } from './cors.ts'
import type { GatewayToken } from './tokens.ts'

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

/** Bounds of one request. */
export interface Caps {
  /** Largest request body in bytes; a larger one is refused while it is read. @default 10 MB, as Upstash */
  readonly maxBodyBytes: number
  /** Most commands in one pipeline or transaction. @default 10_000 */
  readonly maxCommands: number
  /** Most arguments of one command, its name included; of a whole request ten times as many. @default 100_000 */
  readonly maxArguments: number
  /** Longest key in bytes. @default 32_768, as Upstash */
  readonly maxKeyBytes: number
  /** Largest argument in bytes. @default `maxBodyBytes` */
  readonly maxValueBytes: number
  /** How long a body may take to arrive, in milliseconds. @default 30_000 */
  readonly bodyTimeoutMs: number
  /** Bytes that the bodies of all requests may hold at a time; one more is 503. @default 256 MiB */
  readonly maxBufferedBytes: number
}

export interface GatewayOptions extends Partial<Caps> {
  /** The way to the server behind. Commands go out raw, replies come back raw. */
  readonly transport: Transport
  /**
   * Who may do what: at least one token; a text is one with the role `full`. A function is called at every request and
   * returns the same list until the tokens change; a list that makes no sense is an event, and the last one stays.
   */
  readonly tokens: GatewayTokens | (() => GatewayTokens)
  /**
   * Also takes the token as `?_token=`, where logs and browsers may keep it: for EventSource. A request that writes and
   * comes from a page of another site (`Sec-Fetch-Site: cross-site`) is refused then. @default false
   */
  readonly queryToken?: boolean
  /**
   * Origins whose pages may read answers (`https://app.example.com`), or `['*']`: with read-only tokens. A request from
   * such a page with another token is refused. @default none
   */
  readonly cors?: readonly string[]
  /** How long the server behind may take for one request, or to open a stream, in milliseconds. @default 5000 */
  readonly timeoutMs?: number
  /**
   * Most requests that wait for the server at a time; one more is 503. With more than one token each may have half of
   * them, unless it says otherwise. @default 20_000
   */
  readonly maxConcurrent?: number
  /**
   * Most channels and patterns that streams of /subscribe, /psubscribe and /monitor listen to at a time, counted for
   * each stream; one more is 503. With more than one token each may have half of them, unless it says otherwise.
   * @default 1000
   */
  readonly maxStreams?: number
  /** Most channels or patterns of one stream; one more is 400. @default 100, or `maxStreams` where that is less */
  readonly maxChannels?: number
  /** Between two signs of life on a stream, in milliseconds. @default 15_000 */
  readonly heartbeatMs?: number
  /** Largest answer of one request in bytes; a reply that does not fit is `TOOLARGE` in its place. @default 128 MiB */
  readonly maxAnswerBytes?: number
  /**
   * Bytes that all answers and streams may hold at a time, from the reply until it is written; a request whose answer
   * would be past it is 503. @default 256 MiB
   */
  readonly maxBufferedAnswerBytes?: number
  /** How long a large answer waits for its reader to take the next piece (64 KiB), in milliseconds. @default 30_000 */
  readonly answerTimeoutMs?: number
  /** Called with every request that was answered, and with tokens that make no sense. What it throws is dropped. */
  readonly onEvent?: (event: GatewayEvent) => void
}

/** The numbers among the options, each with its value. */
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
