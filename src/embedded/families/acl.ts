import { randomBytes } from '../../runtime/random.ts'
import type { Client, Family, User } from '../contracts.ts'
import { sha256 } from '../digest.ts'
import { resolve } from '../dispatch.ts'
import { intBetween } from '../numbers.ts'
import { fail, MapReply, OK, quoting, type Reply } from '../reply.ts'
import { applyRule, createUser, mayRun } from '../users.ts'

const describe = (user: User): string => {
  const passwords = [...user.passwords].map((text) => `#${sha256(text)}`)
  const state = user.enabled ? 'on' : 'off'
  const words = [state, ...(user.nopass ? ['nopass'] : []), 'sanitize-payload', ...passwords]
  words.push(user.keys.map((key) => `~${key}`).join(' ') || 'resetkeys')
  words.push(user.channels.map((channel) => `&${channel}`).join(' ') || 'resetchannels')
  return `user ${user.name} ${words.join(' ')} ${user.commands.join(' ')}`
}

function getUser(client: Client, args: readonly string[]): Reply {
  const user = client.engine.users.get(args[2] as string)
  if (!user) return null
  const flags = [user.enabled ? 'on' : 'off', ...(user.nopass ? ['nopass'] : []), 'sanitize-payload']
  return new MapReply([
    'flags',
    flags,
    'passwords',
    [...user.passwords].map(sha256),
    'commands',
    user.commands.join(' '),
    'keys',
    user.keys.map((key) => `~${key}`).join(' '),
    'channels',
    user.channels.map((channel) => `&${channel}`).join(' '),
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
    for (const rule of args.slice(3)) {
      if (!applyRule(user, rule)) fail(quoting`ERR Error in ACL SETUSER modifier '${rule}': Syntax error`)
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
            args[2],
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
    try {
      mayRun(user, resolve(client.engine, words), words)
    } catch (error) {
      const { message } = error as { message: string }
      return /^NOPERM /.test(message) ? message.slice(7) : fail(message)
    }
    return OK
  },
  'acl|log': (_client, args) => (args[2]?.toUpperCase() === 'RESET' ? OK : []),
}
