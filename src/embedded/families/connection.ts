import { type Client, type Family, SENT } from '../contracts.ts'
import { sha256 } from '../digest.ts'
import { int, parseInt64 } from '../numbers.ts'
import { fail, MapReply, OK, quoting, type Reply, Simple } from '../reply.ts'
import { VERSION } from '../version.ts'
import { SYNTAX } from './strings.ts'

const WRONG_PASS = 'WRONGPASS invalid username-password pair or user is disabled.'

function authenticate(client: Client, name: string, password: string): void {
  const user = client.engine.users.get(name)
  if (!user?.enabled || !(user.nopass || user.passwords.has(sha256(password)))) fail(WRONG_PASS)
  client.user = user
}

function auth(client: Client, args: readonly string[]): Reply {
  if (args.length > 3) fail(SYNTAX)
  const isDefault = args.length === 2
  if (isDefault && client.engine.users.get('default')?.nopass) {
    fail(
      'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
    )
  }
  authenticate(client, isDefault ? 'default' : (args[1] as string), args.at(-1) as string)
  return OK
}

function checkName(name: string): void {
  if (/[^!-~]/.test(name)) fail('ERR Client names cannot contain spaces, newlines or special characters.')
}

function hello(client: Client, args: readonly string[]): Reply {
  const version =
    args[1] === undefined ? client.resp : int(args[1], 'ERR Protocol version is not an integer or out of range')
  if (version !== 2 && version !== 3) fail('NOPROTO unsupported protocol version')
  let name: string | undefined
  let credentials: readonly [string, string] | undefined
  for (let i = 2; i < args.length; i++) {
    const word = args[i]?.toUpperCase()
    if (word === 'AUTH' && i + 2 < args.length) {
      credentials = [args[i + 1] as string, args[i + 2] as string]
      i += 2
    } else if (word === 'SETNAME' && i + 1 < args.length) {
      name = args[++i] as string
      checkName(name)
    } else fail(quoting`ERR Syntax error in HELLO option '${args[i]}'`)
  }
  if (credentials) authenticate(client, ...credentials)
  if (!client.user) {
    fail(
      'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time',
    )
  }
  client.resp = version as 2 | 3
  if (name !== undefined) client.name = name
  const items = [
    'server',
    'redis',
    'version',
    VERSION,
    'proto',
    version,
    'id',
    client.id,
    'mode',
    'standalone',
    'role',
    'master',
    'modules',
    [],
  ]
  return new MapReply(items)
}

function reset(client: Client): Reply {
  const { engine } = client
  client.queue = undefined
  client.aborted = false
  engine.unwatch(client)
  engine.channels.leave(client)
  engine.tracking.leave(client)
  engine.monitors.delete(client)
  client.monitors = false
  client.db = engine.databases[0] as typeof client.db
  client.resp = 2
  client.name = ''
  client.replies = 'on'
  const user = engine.users.get('default')
  client.user = user?.nopass && user.enabled ? user : undefined
  return new Simple('RESET')
}

export const connection: Family = {
  auth,
  hello,
  reset,
  ping(client, args) {
    if (args.length > 2) fail("ERR wrong number of arguments for 'ping' command")
    const { channels, patterns, shardChannels } = client
    if (client.resp === 2 && channels.size + patterns.size + shardChannels.size > 0) return ['pong', args[1] ?? '']
    return args[1] ?? new Simple('PONG')
  },
  echo: (_client, args) => args[1] as string,
  select(client, args) {
    const index = parseInt64(args[1] as string) ?? fail('ERR value is not an integer or out of range')
    client.db = client.engine.databases[Number(index)] ?? fail('ERR DB index is out of range')
    return OK
  },
  quit(client) {
    client.answer(OK)
    client.outlet.close?.()
    return SENT
  },
}
export { checkName }
