import { randomBytes } from '../../runtime/random.ts'
import type { Client, Family, User } from '../contracts.ts'
import { resolve } from '../dispatch.ts'
import { int, intBetween } from '../numbers.ts'
import { fail, MapReply, OK, quoting, type Reply } from '../reply.ts'
import { applyRule, createUser, refusedOf } from '../users.ts'

const channelsOf = ({ channels }: User): string[] => channels.map((channel) => `&${channel}`)

const flagsOf = ({ enabled, nopass, sanitizes }: User): string[] => [
  enabled ? 'on' : 'off',
  ...(nopass ? ['nopass'] : []),
  `${sanitizes ? '' : 'skip-'}sanitize-payload`,
]

const describe = (user: User): string => {
  const { name, passwords, keys, commands } = user
  const words = flagsOf(user)
  words.push(...[...passwords].map((hash) => `#${hash}`), ...keys)
  if (!user.channels.includes('*')) words.push('resetchannels')
  return ['user', name, ...words, ...channelsOf(user), ...commands].join(' ')
}

function getUser(client: Client, args: readonly string[]): Reply {
  const user = client.engine.users.get(args[2] as string)
  if (!user) return null
  return new MapReply([
    'flags',
    flagsOf(user),
    'passwords',
    [...user.passwords],
    'commands',
    user.commands.join(' '),
    'keys',
    user.keys.join(' '),
    'channels',
    channelsOf(user).join(' '),
    'selectors',
    [],
  ])
}

export const acl: Family = {
  'acl|whoami': (client) => client.user?.name ?? 'default',
  'acl|users': (client) => [...client.engine.users.keys()].sort(),
  'acl|list': (client) => [...client.engine.users.values()].map(describe).sort(),
  'acl|getuser': getUser,
  'acl|setuser'(client, args) {
    const name = args[2] as string
    if (/[\s\0]/.test(name)) fail("ERR Usernames can't contain spaces or null characters")
    const old = client.engine.users.get(name)
    const user = old ? structuredClone(old) : createUser(name)
    const open = args.slice(3).find((rule) => rule.startsWith('(') && !rule.endsWith(')'))
    if (open) fail(quoting`ERR Unmatched parenthesis in acl selector starting at '${open}'.`)
    for (const rule of args.slice(3)) {
      const fault = applyRule(user, rule, client.engine.table)
      if (fault) fail(quoting`ERR Error in ACL SETUSER modifier '${rule}': ${fault}`)
    }
    if (old) Object.assign(old, user)
    else client.engine.users.set(name, user)
    return OK
  },
  'acl|deluser'(client, args) {
    let count = 0
    for (const name of args.slice(2)) {
      if (name === 'default') fail("ERR The 'default' user cannot be removed")
      const user = client.engine.users.get(name)
      if (!user || !client.engine.users.delete(name)) continue
      count++
      for (const one of client.engine.clients.values()) if (one.user === user) one.outlet.close?.()
    }
    return count
  },
  'acl|cat'(client, args) {
    const all = [...client.engine.table.values()].flatMap((one) => [one, ...one.subcommands.values()])
    if (args.length === 2) return [...new Set(all.flatMap(({ categories }) => categories.map((name) => name.slice(1))))]
    const wanted = `@${args[2]?.toLowerCase()}`
    const found = all.filter(({ categories }) => categories.includes(wanted))
    return found.length > 0 ? found.map(({ name }) => name) : fail(quoting`ERR Unknown category '${args[2]}'`)
  },
  'acl|genpass'(_client, args) {
    const bits =
      args[2] === undefined
        ? 256
        : intBetween(
            `${int(args[2])}`,
            1,
            4096,
            'ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096',
          )
    const digits = Math.ceil(bits / 4)
    const text = Array.from(randomBytes(Math.ceil(digits / 2)), (byte) => byte.toString(16).padStart(2, '0')).join('')
    return text.slice(0, digits)
  },
  'acl|dryrun'(client, args) {
    const user = client.engine.users.get(args[2] as string) ?? fail(quoting`ERR User '${args[2]}' not found`)
    const words = args.slice(3)
    if (!client.engine.table.has((words[0] as string).toLowerCase())) fail(quoting`ERR Command '${words[0]}' not found`)
    const refused = refusedOf(user, resolve(client.engine, words), words)
    if (!refused) return OK
    const [what, name] = refused
    return what === 'command'
      ? `User ${user.name} has no permissions to run the '${name}' command`
      : `User ${user.name} has no permissions to access the '${name}' ${what}`
  },
  'acl|log'(_client, args) {
    if (args[2]?.toUpperCase() === 'RESET') return OK
    if (args[2] !== undefined) int(args[2])
    return []
  },
}
