import type { Client, Command, Family, KeySpec } from '../contracts.ts'
import { matchGlob } from '../glob.ts'
import { fail, MapReply, type Reply, SetReply, Simple } from '../reply.ts'
import { keyPositions } from '../table.ts'

const statuses = (words: Iterable<string>): SetReply => new SetReply([...words].map((word) => new Simple(word)))

function specReply({ flags, begin, range, count }: KeySpec): Reply {
  const start =
    begin === undefined
      ? ['type', 'unknown', 'spec', new MapReply([])]
      : typeof begin === 'number'
        ? ['type', 'index', 'spec', new MapReply(['index', begin])]
        : ['type', 'keyword', 'spec', new MapReply(['keyword', begin.keyword, 'startfrom', begin.from])]
  const find = range
    ? ['type', 'range', 'spec', new MapReply(['lastkey', range.last, 'keystep', range.step, 'limit', range.limit])]
    : count
      ? [
          'type',
          'keynum',
          'spec',
          new MapReply(['keynumidx', count.at, 'firstkey', count.first, 'keystep', count.step]),
        ]
      : ['type', 'unknown', 'spec', new MapReply([])]
  return new MapReply(['flags', statuses(flags), 'begin_search', new MapReply(start), 'find_keys', new MapReply(find)])
}

/** First key, last key and step, as old clients expect them. */
function oldKeys({ keys: [spec], keys }: Command): readonly [number, number, number] {
  const begin = keys.map((one) => one.begin).filter((one) => typeof one === 'number')
  if (!spec || typeof spec.begin !== 'number' || !spec.range) {
    const known = keys.find((one) => typeof one.begin === 'number' && one.range)
    if (!known) return [0, 0, 0]
    return [known.begin as number, known.begin as number, known.range?.step ?? 1]
  }
  const { last, step } = spec.range
  const more = begin.length === 2 && last === 0 ? Math.max(...begin) : undefined
  return [spec.begin, more ?? (last >= 0 ? spec.begin + last : last), step]
}

function commandInfo(command: Command): Reply {
  const [first, last, step] = oldKeys(command)
  return [
    command.name,
    command.arity,
    statuses(command.flags),
    first,
    last,
    step,
    statuses(command.categories),
    [...command.tips],
    command.keys.map(specReply),
    [...command.subcommands.values()].map(commandInfo),
  ]
}

function find(client: Client, text: string): Command | undefined {
  const [parent = '', child] = text.toLowerCase().split('|')
  const command = client.engine.table.get(parent)
  return child === undefined ? command : command?.subcommands.get(child)
}

function docs(command: Command): Reply {
  const items: Reply[] = ['summary', command.summary, 'since', command.since, 'group', command.group]
  if (command.subcommands.size > 0) {
    items.push('subcommands', new MapReply([...command.subcommands.values()].flatMap((one) => [one.name, docs(one)])))
  }
  return new MapReply(items)
}

const chosen = (client: Client, names: readonly string[]): readonly (Command | undefined)[] =>
  names.length > 0 ? names.map((name) => find(client, name)) : [...client.engine.table.values()]

function getKeys(client: Client, words: readonly string[]): readonly (readonly [key: string, flags: Reply])[] {
  const name = words[0] as string
  let command = client.engine.table.get(name.toLowerCase()) ?? fail('ERR Invalid command specified')
  command = command.subcommands.get((words[1] ?? '').toLowerCase()) ?? command
  if (command.arity > 0 ? words.length !== command.arity : words.length < -command.arity) {
    fail('ERR Invalid number of arguments specified for command')
  }
  if (command.keys.length === 0) fail('ERR The command has no key arguments')
  const places = keyPositions(command, words)
  if (!places || (places.length === 0 && !command.flags.has('no_mandatory_keys')))
    fail('ERR Invalid arguments specified for command')
  return (places ?? []).map((place) => [words[place] as string, statuses(command.keys[0]?.flags ?? [])])
}

function list(client: Client, args: readonly string[]): Reply {
  const all = [...client.engine.table.values()].flatMap((one) => [one, ...one.subcommands.values()])
  if (args.length === 2) return all.map(({ name }) => name)
  const [, , word, by, value = ''] = args
  if (args.length !== 5 || word?.toUpperCase() !== 'FILTERBY') fail('ERR syntax error')
  const kind = by?.toUpperCase()
  if (kind === 'MODULE') return []
  const fits = (one: Command): boolean =>
    kind === 'ACLCAT'
      ? one.categories.includes(`@${value.toLowerCase()}`)
      : kind === 'PATTERN'
        ? matchGlob(value, one.name, true)
        : fail('ERR syntax error')
  return all.filter(fits).map(({ name }) => name)
}

export const command: Family = {
  command: (client) => [...client.engine.table.values()].map(commandInfo),
  'command|count': (client) => client.engine.table.size,
  'command|info': (client, args) => chosen(client, args.slice(2)).map((one) => (one ? commandInfo(one) : null)),
  'command|docs': (client, args) =>
    new MapReply(chosen(client, args.slice(2)).flatMap((one) => (one ? [one.name, docs(one)] : []))),
  'command|list': list,
  'command|getkeys': (client, args) => getKeys(client, args.slice(2)).map(([key]) => key),
  'command|getkeysandflags': (client, args) => getKeys(client, args.slice(2)).map((pair) => [...pair]),
}
