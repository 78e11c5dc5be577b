import type { Command, User } from './contracts.ts'
import { sha256 } from './digest.ts'
import { matchGlob } from './glob.ts'
import { fail } from './reply.ts'
import { keyPositions } from './table.ts'

export function createUser(name: string): User {
  return {
    name,
    enabled: false,
    nopass: false,
    sanitizes: true,
    passwords: new Set(),
    commands: ['-@all'],
    keys: [],
    channels: [],
    isAll: false,
  }
}

export function createUsers(password: string | undefined): Map<string, User> {
  const user = createUser('default')
  user.enabled = true
  user.commands = ['+@all']
  user.keys = ['~*']
  user.channels = ['*']
  user.isAll = true
  user.nopass = !password
  if (password) user.passwords.add(sha256(password))
  return new Map([['default', user]])
}

const NO_PASSWORD = 'The password you are trying to remove from the user does not exist'
const NO_HASH = 'The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters'
const notAfterAll = (flag: string, reset: string, what: string): string =>
  `Adding a pattern after the * pattern (or the '${flag}' flag) is not valid and does not have any effect. Try '${reset}' to start with an empty list of ${what}`

function applyPassword(user: User, rule: string): string {
  const text = rule.slice(1)
  const isHash = rule[0] === '#' || rule[0] === '!'
  if (isHash && !/^[0-9a-f]{64}$/.test(text)) return NO_HASH
  const hash = isHash ? text : sha256(text)
  if (rule[0] === '<' || rule[0] === '!') return user.passwords.delete(hash) ? '' : NO_PASSWORD
  user.nopass = false
  user.passwords.add(hash)
  return ''
}

function addPattern(patterns: string[], pattern: string, fault: string): string {
  if (patterns[0] === '*' || patterns[0] === '~*') return pattern === patterns[0] ? '' : fault
  if (pattern === '*' || pattern === '~*') patterns.length = 0
  if (!patterns.includes(pattern)) patterns.push(pattern)
  return ''
}

/** Adds a rule about commands, and removes the rules that it overrides: `+config` removes `-config|get`. */
function applyCommand(user: User, rule: string, table: ReadonlyMap<string, Command>): string {
  const name = rule.slice(1)
  const [parent = '', child] = name.split('|')
  const command = table.get(parent)
  const isCategory = name.startsWith('@')
  const isKnown = isCategory
    ? [...table.values()].some((one) => one.categories.includes(name))
    : command !== undefined && (child === undefined || command.subcommands.size === 0 || command.subcommands.has(child))
  if (!isKnown) return 'Unknown command or category name in ACL'
  if (child !== undefined && command?.subcommands.size === 0 && rule[0] === '-')
    return 'Allowing first-arg of a subcommand is not supported'
  user.commands = user.commands.filter((one) => one.slice(1) !== name && !one.slice(1).startsWith(`${name}|`))
  user.commands.push(rule)
  return ''
}

/** Applies one word of ACL SETUSER. Returns what is wrong with it, or an empty text. */
export function applyRule(user: User, rule: string, table: ReadonlyMap<string, Command>): string {
  const lower = rule.toLowerCase()
  let fault = ''
  if (lower === 'on' || lower === 'off') user.enabled = lower === 'on'
  else if (lower === 'nopass' || lower === 'resetpass') {
    user.nopass = lower === 'nopass'
    user.passwords.clear()
  } else if (/^[><#!]/.test(rule)) fault = applyPassword(user, rule)
  else if (lower === 'allkeys') user.keys = ['~*']
  else if (lower === 'resetkeys') user.keys = []
  else if (/^(%(R|W|RW|WR))?~/i.test(rule)) {
    const access = /^%(.)~/.exec(rule.toUpperCase())?.[0] ?? '~'
    const pattern = access + rule.slice(rule.indexOf('~') + 1)
    fault = addPattern(user.keys, pattern, notAfterAll('allkeys', 'resetkeys', 'patterns'))
  } else if (lower === 'allchannels') user.channels = ['*']
  else if (lower === 'resetchannels') user.channels = []
  else if (rule.startsWith('&'))
    fault = addPattern(user.channels, rule.slice(1), notAfterAll('allchannels', 'resetchannels', 'channels'))
  else if (lower === 'allcommands' || lower === '+@all') user.commands = ['+@all']
  else if (lower === 'nocommands' || lower === '-@all') user.commands = ['-@all']
  else if (/^[+-]/.test(rule)) fault = applyCommand(user, lower, table)
  else if (lower === 'reset') {
    user.passwords.clear()
    Object.assign(user, createUser(user.name), { passwords: user.passwords })
  } else if (/^(skip-)?sanitize-payload$/.test(lower)) user.sanitizes = lower === 'sanitize-payload'
  else if (!/^(|clearselectors)$/.test(lower)) fault = 'Syntax error'
  const isOpen = user.keys.includes('~*') && user.channels.includes('*')
  user.isAll = isOpen && user.commands.length === 1 && user.commands[0] === '+@all'
  return fault
}

const isAllowed = (user: User, command: Command): boolean => {
  let allowed = false
  const [parent = ''] = command.name.split('|')
  for (const rule of user.commands) {
    const name = rule.slice(1)
    const hits =
      name === '@all' ||
      name === parent ||
      name === command.name ||
      (name.startsWith('@') && command.categories.includes(name))
    if (hits) allowed = rule[0] === '+'
  }
  return allowed
}

/** Whether a command reads or writes its keys. For SET and BITFIELD that depends on their words. */
function accessOf(
  { name, keys }: Command,
  args: readonly string[],
): { readonly reads: boolean; readonly writes: boolean } {
  const has = (from: number, words: RegExp): boolean => args.slice(from).some((word) => words.test(word))
  if (name === 'set') return { reads: has(3, /^get$/i), writes: true }
  if (name === 'bitfield') return { reads: true, writes: has(2, /^(set|incrby)$/i) }
  const flags = new Set(keys.flatMap((spec) => spec.flags).map((flag) => flag.toLowerCase()))
  return { reads: flags.has('access'), writes: flags.has('insert') || flags.has('delete') || flags.has('update') }
}

/** Whether a pattern allows what a command does with a key: `%R~a` allows reads, `%W~a` writes, `~a` both. */
function isOpenTo(pattern: string, key: string, command: Command, args: readonly string[]): boolean {
  const at = pattern.indexOf('~')
  if (!matchGlob(pattern.slice(at + 1), key)) return false
  if (at === 0) return true
  const { reads, writes } = accessOf(command, args)
  return pattern[1] === 'R' ? !writes : !reads
}

const OPEN = /^(auth|hello|quit|reset)$/

/** Index of the key in which SORT stores its result. It is the only key without a place in the table. */
function storeOfSort(part: Command, args: readonly string[]): number[] {
  const isStore = part.name === 'sort' && part.keys.every((spec) => spec.flags.includes('update'))
  let found: number[] = []
  for (let i = 2; isStore && i < args.length; i++) {
    const word = args[i]?.toLowerCase()
    if (word === 'store') found = i + 1 < args.length ? [i + 1] : []
    if (word === 'limit') i += 2
    else if (word === 'store' || word === 'by' || word === 'get') i++
  }
  return found
}

/** The command, key or channel that a user may not use; undefined if the user may run the command. */
export function refusedOf(
  user: User,
  command: Command,
  args: readonly string[],
): readonly [what: 'command' | 'key' | 'channel', name: string] | undefined {
  if (OPEN.test(command.name)) return undefined
  if (!isAllowed(user, command)) return ['command', command.name]
  // Each group of keys is checked by what the command does with it: COPY reads its first key and writes its second.
  for (const spec of command.keys) {
    const part = { ...command, keys: [spec] }
    for (const at of spec.begin === undefined ? storeOfSort(part, args) : (keyPositions(part, args) ?? [])) {
      const key = args[at] as string
      if (!user.keys.some((pattern) => isOpenTo(pattern, key, part, args))) return ['key', key]
    }
  }
  const isChannel = /^(s?publish|[ps]?subscribe)$/.test(command.name)
  const channels = !isChannel ? [] : command.name.endsWith('publish') ? args.slice(1, 2) : args.slice(1)
  const fits = (pattern: string, channel: string): boolean =>
    pattern === '*' || pattern === channel || (command.name !== 'psubscribe' && matchGlob(pattern, channel))
  const channel = channels.find((one) => !user.channels.some((pattern) => fits(pattern, one)))
  return channel === undefined ? undefined : ['channel', channel]
}

/** Throws NOPERM if the user may not run the command. */
export function mayRun(user: User, command: Command, args: readonly string[]): void {
  const refused = refusedOf(user, command, args)
  if (!refused) return
  const [what, name] = refused
  if (what === 'command') fail(`NOPERM User ${user.name} has no permissions to run the '${name}' command`)
  fail(`NOPERM No permissions to access a ${what}`)
}
