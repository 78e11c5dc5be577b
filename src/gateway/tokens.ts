import type { HitherError } from '../errors.ts'
import { checkNames, checkWhole, invalid as invalidArgument } from '../protocol/arguments.ts'
import type { Command } from '../store/transport.ts'
import { commandNamed, type KnownCommand, keyPlaces, knownCommands, mayPass } from './commands.ts'

type Args = Command['args']

/**
 * What a token may do. `read-only` reads, in scripts as well. `full` also writes. `admin` also administers (FLUSHALL, KEYS,
 * FUNCTION, MONITOR, …).
 */
export type GatewayRole = 'read-only' | 'full' | 'admin'

export interface GatewayToken {
  /** The bearer token that a client sends: visible ASCII characters. */
  readonly token: string
  /** Name of the token in logs. @default its place in the list, from 1 */
  readonly name?: string
  /** @default 'full' */
  readonly role?: GatewayRole
  /** The only commands it may use, out of those of its role: `GET`, `SCRIPT LOAD`, `SUBSCRIBE`. @default all of its role */
  readonly commands?: readonly string[]
  /**
   * Every key and channel must begin with one of these. Commands whose keys cannot be found out are then refused, and so are
   * scripts, which can reach any key. @default any key
   */
  readonly keyPrefixes?: readonly string[]
  /**
   * Whether it may run, load and delete scripts and functions. They may keep the server busy, and even with `read-only` may call
   * all commands that Redis counts as reading (KEYS, SLOWLOG). @default true; with `keyPrefixes` scripts are always refused
   */
  readonly scripts?: boolean
  /** Most requests with this token that wait for the server at once. @default the gateway's bound; half of it with more tokens */
  readonly maxConcurrent?: number
  /** Most channels and patterns that its streams listen to. @default the gateway's bound; half of it with more tokens */
  readonly maxStreams?: number
}

export interface Grant {
  readonly name: string
  /** Whether its scripts run by their `_RO` forms. */
  readonly readOnly: boolean
  /** Whether it may see what other tokens do: it may write, and nothing but its role restricts it. */
  readonly seesAll: boolean
  /** Most that it may have of a bound of the gateway; undefined: its share. */
  readonly maxConcurrent: number | undefined
  readonly maxStreams: number | undefined
  /** Whether it is the only token. */
  readonly alone: boolean
  /** Why the token may not run this command, whatever its keys; undefined if it may. */
  refusalByName(command: KnownCommand): string | undefined
  /** Why the token may not run a command with these arguments; undefined if it may. For kind `listen`: may not open a stream. */
  refusal(command: KnownCommand, args: Args): string | undefined
}

/** Commands without keys that a token with prefixes may use. */
const KEYLESS = new Set(['PING', 'ECHO', 'TIME'])
const ROLES = ['read-only', 'full', 'admin']
const OUTSIDE = 'NOPERM this token has no permissions to access one of the keys used as arguments'

/** Returns a function from token to grant. Throws `INVALID_ARGUMENT` for a list that makes no sense, without any token. */
export function createGrants(tokens: readonly (string | GatewayToken)[]): (given: string) => Grant | undefined {
  if (!Array.isArray(tokens) || tokens.length === 0) throw invalid('give at least one')
  const known = tokens.map((each, i) => {
    const { token, ...rest } = typeof each === 'string' ? { token: each } : each
    if (typeof token !== 'string' || !/^[!-~]+$/.test(token)) {
      throw invalid('give at least one, each of visible ASCII characters')
    }
    return { token, grant: createGrant({ name: `${i + 1}`, ...rest }, tokens.length === 1) }
  })
  // Otherwise the last of two equal tokens would silently win, with its role.
  if (new Set(known.map(({ token }) => token)).size < known.length) throw invalid('one of them is listed twice')
  return (given) => {
    let match: Grant | undefined
    // Compares every byte of every token, so that the time does not show where they differ.
    for (const { token, grant } of known) {
      let difference = token.length ^ given.length
      for (let i = 0; i < token.length; i++) difference |= token.charCodeAt(i) ^ given.charCodeAt(i)
      if (difference === 0) match = grant
    }
    return match
  }
}

type Rights = Omit<GatewayToken, 'token'> & { readonly name: string }

function createGrant(options: Rights, alone: boolean): Grant {
  const { name, role = 'full', commands, keyPrefixes } = options
  checkRights(options)
  const allowed = commandsOf(options)
  const refusalByName = (command: KnownCommand): string | undefined =>
    allowed.has(command.name)
      ? undefined
      : `NOPERM this token has no permissions to run the '${command.name.toLowerCase()}' command`
  return {
    name,
    readOnly: role === 'read-only',
    seesAll: role !== 'read-only' && !commands && !keyPrefixes,
    maxConcurrent: options.maxConcurrent,
    maxStreams: options.maxStreams,
    alone,
    refusalByName,
    refusal(command, args) {
      return refusalByName(command) ?? (keyPrefixes && !isWithin(command, args, keyPrefixes) ? OUTSIDE : undefined)
    },
  }
}

/** Whether every key, channel or pattern of a command begins with one of the prefixes. */
function isWithin(command: KnownCommand, args: Args, prefixes: readonly string[]): boolean {
  if (KEYLESS.has(command.name)) return true
  const begins = (text: string): boolean => prefixes.some((prefix) => text.startsWith(prefix))
  if (command.kind === 'listen') {
    const name = textOf(args[1] as Args[number])
    return begins(command.name === 'PSUBSCRIBE' ? literalStart(name) : name)
  }
  const places = keyPlaces(command, args)
  return places !== undefined && places.length > 0 && places.every((at) => begins(textOf(args[at] as Args[number])))
}

const RIGHTS = ['name', 'role', 'commands', 'keyPrefixes', 'scripts', 'maxConcurrent', 'maxStreams']

/** Throws `INVALID_ARGUMENT`. */
function checkRights(options: Rights): void {
  const { role = 'full', commands, keyPrefixes, scripts = true, maxConcurrent = 1, maxStreams = 1 } = options
  checkNames('tokens: a token', options, RIGHTS)
  if (!ROLES.includes(role)) throw invalid(`role is one of ${ROLES.join(', ')}`)
  if (typeof scripts !== 'boolean') throw invalid('scripts is true or false')
  for (const list of [commands, keyPrefixes]) {
    if (list && !(Array.isArray(list) && list.length > 0 && list.every((text) => typeof text === 'string' && text))) {
      throw invalid('commands and keyPrefixes are lists of at least one text')
    }
  }
  checkWhole(maxConcurrent, 'tokens: maxConcurrent', 1)
  checkWhole(maxStreams, 'tokens: maxStreams', 1)
}

/** Names of the commands that a token may use. Throws `INVALID_ARGUMENT` if it lists one that it could not use. */
function commandsOf({ role = 'full', commands, keyPrefixes, scripts = true }: Rights): ReadonlySet<string> {
  const allowed = new Set<string>()
  for (const command of knownCommands) {
    if (fits(command, role, keyPrefixes !== undefined) && (scripts || !isOfScripts(command))) allowed.add(command.name)
  }
  if (commands) {
    const asked = commands.map((text) => text.toUpperCase())
    for (const text of asked) {
      if (!commandNamed(text)) throw invalid(`no command is called ${text}`)
      if (!allowed.has(text)) throw invalid(`${text} is nothing that a token of this role and these keys may use`)
    }
    for (const text of allowed) if (!asked.includes(text)) allowed.delete(text)
  }
  return allowed
}

function fits({ name, kind, keys }: KnownCommand, role: GatewayRole, prefixed: boolean): boolean {
  const byRole =
    kind === 'read'
      ? // As in Upstash, a read-only token may not list keys.
        role !== 'read-only' || (name !== 'SCAN' && name !== 'RANDOMKEY')
      : kind === 'script' || kind === 'listen' || (kind === 'write' && role !== 'read-only') || role === 'admin'
  if (!byRole || !(kind === 'listen' || name === 'MONITOR' || mayPass(commandNamed(name), [name]))) return false
  if (!prefixed) return true
  return kind !== 'script' && kind !== 'administration' && (keys.length > 0 || kind === 'listen' || KEYLESS.has(name))
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
function textOf(arg: Args[number]): string {
  return typeof arg === 'object' ? utf8.decode(arg) : String(arg)
}

/** Whether a command runs, loads or deletes scripts or functions. */
function isOfScripts({ name, kind }: KnownCommand): boolean {
  return kind === 'script' || /^(SCRIPT|FUNCTION) /.test(name)
}

/** The text with which every name begins that a glob pattern matches. https://redis.io/docs/latest/commands/psubscribe/ */
function literalStart(pattern: string): string {
  const [start = ''] = /^(?:[^*?[\\]|\\.)*/s.exec(pattern) ?? []
  return start.replace(/\\(.)/gs, '$1')
}

function invalid(what: string): HitherError {
  return invalidArgument(`tokens: ${what}`)
}

/** The read-only form of a command that calls a script. */
export function toReadOnly(args: Args): Args {
  const name = args[0] as string
  return /^(EVAL|EVALSHA|FCALL)$/.test(name) ? args.with(0, `${name}_RO`) : args
}
