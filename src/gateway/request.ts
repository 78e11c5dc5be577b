import { now, setTimer } from '../runtime/clock.ts'
import type { Command } from '../store/transport.ts'
import { commandOf, keyPlaces } from './commands.ts'
import { Refusal } from './refusal.ts'

type Args = Command['args']

/** A body as it arrives. */
export interface GatewayBody {
  /** The next piece; undefined after the last. Rejects when the client went away. */
  next(): Promise<Uint8Array | undefined>
  /** Reads no more of it. */
  cancel(): Promise<void>
}

/** A request without the objects of fetch, for a server that has none. */
export interface GatewayRequest {
  readonly method: string
  /** As it was sent: `/set/key?EX=100`. */
  readonly target: string
  /** By its name in lower case. */
  header(name: string): string | null | undefined
  /** `null`: it has none. */
  readonly body: GatewayBody | null
}

export interface Caps {
  /** Largest request body in bytes; a larger one is refused while it is read. @default 10 MB, as Upstash */
  readonly maxBodyBytes: number
  /** Most commands in one pipeline or transaction. @default 10_000 */
  readonly maxCommands: number
  /** Most arguments of one command, its name included. @default 100_000 */
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

/** What all requests hold of their bodies. */
export interface Held {
  bytes: number
}

/** Reads a body within its caps; the caller takes its length off `held` once it is of no use. */
export async function readBody(request: GatewayRequest, caps: Caps, held: Held): Promise<Uint8Array> {
  const tooLarge = (): Refusal => new Refusal(413, 'ERR max request size exceeded')
  const { body } = request
  const announced = Number(request.header('content-length') ?? 0)
  if (announced > caps.maxBodyBytes) throw tooLarge()
  if (!body) return new Uint8Array(0)
  if (held.bytes + announced > caps.maxBufferedBytes) throw full()
  const parts: Uint8Array[] = []
  let size = 0
  let late = false
  const end = now() + caps.bodyTimeoutMs
  const cancel = setTimer(() => {
    late = true
    void body.cancel()
  }, caps.bodyTimeoutMs)
  try {
    for (;;) {
      const part = await body.next()
      if (late || now() > end) throw new Refusal(408, 'ERR the request body took too long')
      if (!part) break
      size += part.byteLength
      held.bytes += part.byteLength
      if (size > caps.maxBodyBytes) throw tooLarge()
      if (held.bytes > caps.maxBufferedBytes) throw full()
      parts.push(part)
    }
  } catch (error) {
    held.bytes -= size
    await body.cancel()
    throw error instanceof Refusal ? error : late ? new Refusal(408, 'ERR the request body took too long') : gone()
  } finally {
    cancel()
  }
  if (parts.length === 1) return parts[0] as Uint8Array
  const whole = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.byteLength
  }
  return whole
}

function full(): Refusal {
  return new Refusal(503, 'ERR the gateway is full, nothing ran')
}

function gone(): Refusal {
  return new Refusal(400, 'ERR the request body ended early')
}

/** The commands of a body that holds one, or a list of them. */
export function parseCommand(body: Uint8Array, caps: Caps): Args {
  return toArgs(parse(body), caps)
}

export function parseCommands(body: Uint8Array, caps: Caps): Args[] {
  const list = parse(body)
  if (!Array.isArray(list)) throw new Refusal(400, 'ERR Command pipeline is not an array')
  if (list.length > caps.maxCommands) throw new Refusal(400, `ERR a request may have ${caps.maxCommands} commands`)
  if (list.length === 0) throw new Refusal(400, 'ERR empty pipeline request')
  return list.map((args) => toArgs(args, caps))
}

/** `/set/key?EX=100` with a body: the body is the argument after the path, the query pairs follow it. */
export function commandByPath(path: string, query: string, body: Uint8Array, caps: Caps): Args {
  const args: unknown[] = segments(path)
  // SET by path without a value in it: an empty body is the empty value.
  if (body.length > 0 || (args.length === 2 && /^set$/i.test(String(args[0])))) args.push(textOf(body) ?? body)
  checkEncoding(query)
  for (const [name, value] of new URLSearchParams(query)) {
    if (name === '_token') continue
    args.push(name)
    if (value !== '') args.push(value)
  }
  return toArgs(args, caps)
}

/** The segments of a path, decoded. */
export function segments(path: string): string[] {
  checkEncoding(path)
  return path.slice(1).split('/').map(decodeURIComponent)
}

function checkEncoding(text: string): void {
  try {
    if (/[^!-~]/.test(text)) throw new URIError()
    decodeURIComponent(text)
  } catch {
    throw new Refusal(400, 'ERR the path or query is not percent-encoded UTF-8')
  }
}

/** A command's name in upper case (a client library reshapes replies by lower-case names), then its arguments. */
function toArgs(args: unknown, caps: Caps): Args {
  if (!Array.isArray(args) || args.length === 0) throw new Refusal(400, 'ERR Command is not an array')
  if (args.length > caps.maxArguments) throw new Refusal(400, `ERR a command may have ${caps.maxArguments} arguments`)
  const command = args.map((arg, i) => (i === 0 ? String(toArg(arg)).toUpperCase() : toArg(arg)))
  checkSizes(command, caps)
  return command
}

function toArg(arg: unknown): string | Uint8Array {
  if (typeof arg === 'string' || arg instanceof Uint8Array) return arg
  if (typeof arg === 'number' && (!Number.isFinite(arg) || (Number.isInteger(arg) && !Number.isSafeInteger(arg)))) {
    throw new Refusal(400, 'ERR send a number beyond 2^53 as a string')
  }
  if (typeof arg === 'number' || typeof arg === 'boolean' || arg === null) return String(arg)
  throw new Refusal(400, 'ERR an argument is a string, a number or a boolean')
}

function checkSizes(args: readonly (string | Uint8Array)[], { maxKeyBytes, maxValueBytes }: Caps): void {
  // A UTF-16 unit is 3 bytes of UTF-8 at most.
  const smallest = Math.min(maxKeyBytes, maxValueBytes) / 3
  if (args.every(({ length }) => length <= smallest)) return
  for (const arg of args) {
    if (bytesOf(arg) > maxValueBytes) throw new Refusal(400, 'ERR max single record size exceeded')
  }
  const command = commandOf(args)
  for (const at of (command && keyPlaces(command, args)) ?? []) {
    const actual = bytesOf(args[at] as string)
    if (actual > maxKeyBytes) {
      throw new Refusal(400, `ERR max key size exceeded. Limit: ${maxKeyBytes} bytes, Actual: ${actual} bytes`)
    }
  }
}

const utf8 = new TextEncoder()
function bytesOf(arg: string | Uint8Array): number {
  return typeof arg === 'string' ? utf8.encode(arg).length : arg.length
}

const text = new TextDecoder('utf-8', { fatal: true })
const textWithMark = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** As text where it is text, so that what a command means does not depend on the way its words came. */
function textOf(body: Uint8Array, decoder: TextDecoder = textWithMark): string | undefined {
  try {
    return decoder.decode(body)
  } catch {
    return undefined
  }
}

type Reviver = (key: string, value: unknown, context?: { readonly source?: string }) => unknown

/** A number of many digits stays the text it came as, where the runtime tells. */
const keepDigits: Reviver = (_, value, context) => (typeof value === 'number' && context?.source) || value

function parse(body: Uint8Array): unknown {
  const json = textOf(body, text)
  try {
    if (json !== undefined) return /\d{16}/.test(json) ? JSON.parse(json, keepDigits) : JSON.parse(json)
  } catch {
    // said below, without the text
  }
  throw new Refusal(400, 'ERR Failed to parse the request body as JSON')
}
