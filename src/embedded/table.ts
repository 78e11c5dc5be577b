/**
 * The only table of commands. A row of `table-rows.ts` has a command's name, number of words, flags, places of keys, group, and
 * the version of Redis that added it. The dispatcher's checks, COMMAND and its subcommands, ACL categories, the docs'
 * compatibility table and the random histories of the tests all come from it.
 *
 * To add a command:
 *  1. its row: `node scripts/embedded-table.ts` writes those that Redis 8 has;
 *  2. its function, under its name in lower case, in the file of its family (`families/*.ts`): `(client, args) => Outcome`,
 *     where `args[0]` is the name as it was sent; a subcommand is named `config|get`. It throws an error reply with
 *     `fail`, reads and writes by `client`, and reports each change with `client.changed(key, kind, event)`;
 *  3. a new family goes into `families/index.ts`.
 * A command with a row but no function is unknown to the engine, as on a server that lacks it.
 */
import type { Command, Family, KeySpec } from './contracts.ts'
import { TABLE_ROWS } from './table-rows.ts'

const words = (text: string): string[] => (text === '-' ? [] : text.split(','))

function readKeySpec(text: string): KeySpec {
  const [flags = '', place = ''] = text.split('@')
  const [start = '', range] = place.split('=')
  const [first = '', count] = start.split('#')
  const [keyword, from] = first.split('/')
  const numbers = (part: string): number[] => part.split(':').map(Number)
  const [last = 0, step = 1, limit = 0] = range ? numbers(range) : []
  const [at = 0, firstKey = 0, by = 1] = count ? numbers(count) : []
  return {
    flags: flags.split(','),
    begin:
      first === '?'
        ? undefined
        : from === undefined
          ? Number(first)
          : { keyword: keyword as string, from: Number(from) },
    range: range ? { last, step, limit } : undefined,
    count: count ? { at, first: firstKey, step: by } : undefined,
  }
}

function readRow(row: string, runs: Family): Command {
  const cells = row.split('|')
  // The name of a subcommand contains the sign that separates the cells.
  const isChild = !/^-?\d+$/.test(cells[1] as string)
  const [arity, flags = '', categories = '', tips = '', keys = '', group = '', since = '', summary = ''] = cells.slice(
    isChild ? 2 : 1,
  )
  const name = isChild ? `${cells[0]}|${cells[1]}` : (cells[0] as string)
  const flagged = new Set(words(flags))
  return {
    name,
    arity: Number(arity),
    flags: flagged,
    categories: words(categories),
    tips: words(tips),
    keys: keys === '-' ? [] : keys.split(' ').map(readKeySpec),
    group,
    since,
    summary,
    subcommands: new Map(),
    run: runs[name],
    isWrite: flagged.has('write'),
    denyOom: flagged.has('denyoom'),
    calls: 0,
  }
}

/** The commands that have functions in `runs`, by name. Each engine has its own table, because commands count their calls. */
export function createTable(runs: Family): Map<string, Command> {
  const table = new Map<string, Command>()
  for (const row of TABLE_ROWS.trim().split('\n')) {
    const command = readRow(row, runs)
    const [parent = '', child] = command.name.split('|')
    if (child === undefined) table.set(command.name, command)
    else if (command.run) table.get(parent)?.subcommands.set(child, command)
  }
  for (const [name, command] of table) if (!command.run && command.subcommands.size === 0) table.delete(name)
  return table
}

/** Indexes of a command's keys among its words; undefined if its count of keys is wrong. */
export function keyPositions(command: Command, args: readonly string[]): number[] | undefined {
  const found: number[] = []
  for (const { begin, range, count } of command.keys) {
    let first: number
    if (begin === undefined) continue
    if (typeof begin === 'number') first = begin
    else {
      const from = begin.from < 0 ? args.length + begin.from : begin.from
      const step = begin.from < 0 ? -1 : 1
      first = -1
      for (let i = from; i > 0 && i < args.length; i += step) {
        if (args[i]?.toUpperCase() === begin.keyword) {
          first = i + 1
          break
        }
      }
      if (first < 0) continue
    }
    if (range) {
      let last = range.last >= 0 ? first + range.last : args.length + range.last
      if (range.limit > 1) last = first + Math.floor((args.length - first) / range.limit) - 1
      for (let i = first; i <= last && i < args.length; i += range.step) found.push(i)
    } else if (count) {
      const many = Number(args[first + count.at])
      if (!Number.isInteger(many) || many < 0 || first + count.first + many * count.step > args.length) return undefined
      for (let i = 0; i < many; i++) found.push(first + count.first + i * count.step)
    }
  }
  return found
}
