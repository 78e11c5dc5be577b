import type { Command, User } from './contracts.ts'
import { matchGlob } from './glob.ts'
import { fail } from './reply.ts'
import { keyPositions } from './table.ts'

export function createUser(name: string): User {
  return {
    name,
    enabled: false,
    nopass: false,
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
  user.keys = ['*']
  user.channels = ['*']
  user.isAll = true
  user.nopass = !password
  if (password) user.passwords.add(password)
  return new Map([['default', user]])
}

/** Applies one word of ACL SETUSER; false for one that is none. */
export function applyRule(user: User, rule: string): boolean {
  const lower = rule.toLowerCase()
  if (lower === 'on' || lower === 'off') user.enabled = lower === 'on'
  else if (lower === 'nopass') {
    user.nopass = true
    user.passwords.clear()
  } else if (lower === 'resetpass') {
    user.nopass = false
    user.passwords.clear()
  } else if (rule.startsWith('>')) {
    user.nopass = false
    user.passwords.add(rule.slice(1))
  } else if (rule.startsWith('<')) return user.passwords.delete(rule.slice(1))
  else if (lower === 'allkeys') user.keys = ['*']
  else if (lower === 'resetkeys') user.keys = []
  else if (rule.startsWith('~')) user.keys.push(rule.slice(1))
  else if (/^%(R|W|RW)~/i.test(rule)) user.keys.push(rule.slice(rule.indexOf('~') + 1))
  else if (lower === 'allchannels') user.channels = ['*']
  else if (lower === 'resetchannels') user.channels = []
  else if (rule.startsWith('&')) user.channels.push(rule.slice(1))
  else if (lower === 'allcommands' || lower === '+@all') user.commands = ['+@all']
  else if (lower === 'nocommands' || lower === '-@all') user.commands = ['-@all']
  else if (/^[+-]@?[\w|.-]+$/.test(rule)) user.commands.push(lower)
  else if (lower === 'reset') Object.assign(user, createUser(user.name), { passwords: user.passwords })
  else return lower === 'sanitize-payload' || lower === 'skip-sanitize-payload' || lower === 'clearselectors'
  const isOpen = user.keys.includes('*') && user.channels.includes('*')
  user.isAll = isOpen && user.commands.length === 1 && user.commands[0] === '+@all'
  return true
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

/** Throws NOPERM for what a user may not do. */
export function mayRun(user: User, command: Command, args: readonly string[]): void {
  if (command.name === 'auth' || command.name === 'hello' || command.name === 'quit' || command.name === 'reset') return
  if (!isAllowed(user, command))
    fail(`NOPERM User ${user.name} has no permissions to run the '${command.name}' command`)
  for (const at of keyPositions(command, args) ?? []) {
    if (!user.keys.some((pattern) => matchGlob(pattern, args[at] as string)))
      fail('NOPERM No permissions to access a key')
  }
  const isChannel = /^(s?publish|[ps]?subscribe)$/.test(command.name)
  const channels = !isChannel ? [] : command.name.endsWith('publish') ? args.slice(1, 2) : args.slice(1)
  for (const channel of channels) {
    const fits = (pattern: string): boolean =>
      pattern === channel || (command.name !== 'psubscribe' && matchGlob(pattern, channel))
    if (!user.channels.includes('*') && !user.channels.some(fits)) fail('NOPERM No permissions to access a channel')
  }
}
