import type { Command } from '../store/transport.ts'
import { commandOf, keyPlaces } from './commands.ts'
import type { Caps } from './options.ts'
import { parseJson } from './parse-json.ts'
import { Refusal } from './refusal.ts'

type Args = Command['args']

/** The single command of a body. */
export function parseCommand(body: Uint8Array, caps: Caps): Args {
  return toArgs(parseJson(body, caps), caps)
}

export function parseCommands(body: Uint8Array, caps: Caps): Args[] {
  const list = parseJson(body, caps)
  if (!Array.isArray(list)) throw new Refusal(400, 'ERR Command pipeline is not an array')
  if (list.length > caps.maxCommands) throw new Refusal(400, `ERR a request may have ${caps.maxCommands} commands`)
  if (list.length === 0) throw new Refusal(400, 'ERR empty pipeline request')
  return list.map((args) => toArgs(args, caps))
}

/** The command of `/set/key?EX=100` and its body: the path, then the body as one argument, then the query's names and values. */
export function commandByPath(path: string, query: string, body: Uint8Array, caps: Caps): Args {
  const args: unknown[] = segments(path)
  // For SET with only a key in the path, an empty body is the empty value.
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

/** Checks a command and puts its name in upper case, since client libraries reshape replies by names in lower case. */
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
  // A UTF-16 unit takes at most 3 bytes of UTF-8.
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

const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The body as text if it is UTF-8, so that a command means the same however its arguments arrived. */
function textOf(body: Uint8Array): string | undefined {
  try {
    return text.decode(body)
  } catch {
    return undefined
  }
}
