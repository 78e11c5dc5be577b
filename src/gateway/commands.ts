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
  /** In upper case. A subcommand follows after a space: `SCRIPT LOAD`. */
  readonly name: string
  readonly kind: (typeof KINDS)[keyof typeof KINDS]
  /** Where the keys are among the arguments; empty for a command without keys. */
  readonly keys: readonly KeySpec[]
}

/** A key specification of `COMMAND` of Redis 7. https://redis.io/docs/latest/develop/reference/key-specs/ */
interface KeySpec {
  /** Where the keys begin: at index `start`, or after each occurrence of `word` from index `start` on. */
  readonly start: number
  readonly word: string
  readonly counted: boolean
  /** A range: last key (from the start, or from the end), step, limit. Counted: index of the count, first key, step. */
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

/** All commands that the gateway knows. */
export const knownCommands: Iterable<KnownCommand> = { [Symbol.iterator]: () => table.values() }

/** Finds a command by its name, such as `GET` or `SCRIPT LOAD`. */
export function commandNamed(name: string): KnownCommand | undefined {
  return table.get(name)
}

/** The command that `args` call, with its name first and in upper case; undefined for an unknown command. */
export function commandOf(args: Args): KnownCommand | undefined {
  const name = args[0] as string
  return table.get(name) ?? (args.length > 1 ? table.get(`${name} ${String(args[1]).toUpperCase()}`) : undefined)
}

/**
 * Whether a command may pass at all. Refused are unknown commands, and those that block, subscribe, keep state on their
 * connection, choose a database or a host, or endanger the server; also any option that would do so.
 */
export function mayPass(command: KnownCommand | undefined, args: Args): command is KnownCommand {
  if (!command || !/^(read|write|script|administration)$/.test(command.kind) || command.name === 'MONITOR') return false
  if (command.name === 'COPY') return !args.slice(3).some((arg) => /^DB$/i.test(String(arg)))
  if (command.name === 'XREAD' || command.name === 'XREADGROUP') return !waits(args)
  return true
}

/** How a message names a command that may not pass: without its arguments, but with the option that is refused. */
export function formOf(command: KnownCommand | undefined, args: Args): string {
  if (!command) return String(args[0]).slice(0, 32)
  const { name } = command
  if (name === 'COPY') return 'COPY … DB'
  return name === 'XREAD' || name === 'XREADGROUP' ? `${name} … BLOCK` : name
}

/** `once`, unless the command is known to change nothing, because the gateway itself sends no write twice. */
export function effectOf({ name, kind }: KnownCommand): Effect {
  return kind === 'read' || name.endsWith('_RO') ? 'read' : 'once'
}

/** Indexes of a command's keys among `args`; undefined if they cannot be found out. */
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

/** Every occurrence of the word counts, because it is not known which of them the server would use. */
function startsOf({ start, word }: KeySpec, args: Args): number[] {
  if (!word) return [start]
  const starts: number[] = []
  for (let i = start; i < args.length - 1; i++) if (String(args[i]).toUpperCase() === word) starts.push(i + 1)
  return starts
}

/** Whether BLOCK is among the options of XREAD. They end at STREAMS; the names of a group and a consumer are skipped. */
function waits(args: Args): boolean {
  for (let i = 1; i < args.length; i++) {
    const option = String(args[i]).toUpperCase()
    if (option === 'BLOCK') return true
    if (option === 'STREAMS') return false
    if (option === 'GROUP') i += 2
  }
  return false
}
