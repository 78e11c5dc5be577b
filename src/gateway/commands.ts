import type { Effect } from '../protocol/operation.ts'
import type { Command } from '../store/transport.ts'
import { COMMAND_TABLE } from './command-table.ts'

type Args = Command['args']

const KINDS = {
  r: 'read',
  w: 'write',
  s: 'script',
  l: 'listen',
  a: 'administration',
  c: 'connection',
  b: 'waiting',
  d: 'host or database',
  x: 'server',
  u: 'unsupported',
} as const

export interface KnownCommand {
  /** In upper case, a subcommand after a space: `SCRIPT LOAD`. */
  readonly name: string
  readonly kind: (typeof KINDS)[keyof typeof KINDS]
  /** Where its keys stand; empty where it has none. */
  readonly keys: readonly KeySpec[]
}

/** `COMMAND`'s key specification of Redis 7. https://redis.io/docs/latest/develop/reference/key-specs/ */
interface KeySpec {
  /** Where the search begins: a place, or after each of these words from a place on. */
  readonly start: number
  readonly word: string
  readonly counted: boolean
  /** Range: last (from the start, or from the end), step, limit. Counted: place of the count, first key, step. */
  readonly a: number
  readonly b: number
  readonly c: number
}

const table: ReadonlyMap<string, KnownCommand> = new Map(COMMAND_TABLE.trim().split('\n').map(parseRow))

function parseRow(row: string): [string, KnownCommand] {
  const [name = '', mark = 'x', ...specs] = row.split(' ')
  const command = { name: name.replace('|', ' '), kind: KINDS[mark as keyof typeof KINDS], keys: specs.map(parseSpec) }
  return [command.name, command]
}

function parseSpec(spec: string): KeySpec {
  const [begin = '', ...numbers] = spec.split(/[:#]/)
  const [word = '', at = ''] = begin.includes('@') ? begin.split('@') : ['', begin]
  const [a = 0, b = 0, c = 0] = numbers.map(Number)
  return { start: Number(at), word, counted: spec.includes('#'), a, b, c }
}

/** All commands that the gateway has a kind for. */
export const knownCommands: Iterable<KnownCommand> = { [Symbol.iterator]: () => table.values() }

/** By its name, such as `GET` or `SCRIPT LOAD`. */
export function commandNamed(name: string): KnownCommand | undefined {
  return table.get(name)
}

/** The command that `args` call, its name first and in upper case; undefined for one that nobody has classified. */
export function commandOf(args: Args): KnownCommand | undefined {
  const name = args[0] as string
  return table.get(name) ?? (args.length > 1 ? table.get(`${name} ${String(args[1]).toUpperCase()}`) : undefined)
}

/**
 * Whether a command may pass at all. One that is not listed may not, nor those that wait, subscribe, keep state on
 * their connection, choose a database or a host, or endanger the server; nor may an option that would do so.
 */
export function mayPass(command: KnownCommand | undefined, args: Args): command is KnownCommand {
  if (!command || !/^(read|write|script|administration)$/.test(command.kind) || command.name === 'MONITOR') return false
  if (command.name === 'COPY') return !args.slice(3).some((arg) => /^DB$/i.test(String(arg)))
  if (command.name === 'XREAD' || command.name === 'XREADGROUP') return !waits(args)
  return true
}

/** What a message calls a command that may not pass: with the word that keeps it from passing, without its arguments. */
export function formOf(command: KnownCommand | undefined, args: Args): string {
  if (!command) return String(args[0]).slice(0, 32)
  const { name } = command
  if (name === 'COPY') return 'COPY … DB'
  return name === 'XREAD' || name === 'XREADGROUP' ? `${name} … BLOCK` : name
}

/** `once` unless the command is known to change nothing: the gateway sends nothing twice by itself. */
export function effectOf({ name, kind }: KnownCommand): Effect {
  return kind === 'read' || name.endsWith('_RO') ? 'read' : 'once'
}

/** The places of a command's keys among `args`; undefined where they cannot be told. */
export function keyPlaces({ keys }: KnownCommand, args: Args): readonly number[] | undefined {
  const places: number[] = []
  for (const spec of keys) {
    for (const start of startsOf(spec, args)) {
      let { a: last, b: step } = spec
      let first = start
      if (spec.counted) {
        const count = Number(args[start + spec.a])
        if (!(Number.isSafeInteger(count) && count >= 0 && count < args.length)) return undefined
        first = start + spec.b
        step = spec.c
        last = first + (count - 1) * step
      } else if (last >= 0) last += start
      else if (spec.c > 1) last += start + Math.floor((args.length - start) / spec.c)
      else last += args.length
      if (step < 1 || last >= args.length) return undefined
      for (let i = first; i <= last; i += step) places.push(i)
    }
  }
  return places
}

/** Every place where the word stands counts: which of several the server means is its own affair. */
function startsOf({ start, word }: KeySpec, args: Args): number[] {
  if (!word) return [start]
  const starts: number[] = []
  for (let i = start; i < args.length - 1; i++) if (String(args[i]).toUpperCase() === word) starts.push(i + 1)
  return starts
}

/** BLOCK among the options of XREAD, which end at STREAMS; names of a group and a consumer are no options. */
function waits(args: Args): boolean {
  for (let i = 1; i < args.length; i++) {
    const option = String(args[i]).toUpperCase()
    if (option === 'BLOCK') return true
    if (option === 'STREAMS') return false
    if (option === 'GROUP') i += 2
  }
  return false
}
