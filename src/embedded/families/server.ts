import { setTimer } from '../../runtime/clock.ts'
import { type Client, type Family, LATER, type Outcome, SENT } from '../contracts.ts'
import { matchGlob } from '../glob.ts'
import { info } from '../info.ts'
import { float, int, intBetween } from '../numbers.ts'
import { fail, MapReply, OK, quoting, type Reply, Simple, Verbatim } from '../reply.ts'
import { sizeOf } from '../values.ts'
import { SYNTAX } from './strings.ts'

function configGet(client: Client, args: readonly string[]): Reply {
  const { values } = client.engine.config
  const found = new Map<string, string>()
  for (const pattern of args.slice(2)) {
    // A name without pattern characters is returned as it was written.
    const value = /[*?[]/.test(pattern) ? undefined : values.get(pattern.toLowerCase())
    if (value !== undefined) found.set(pattern, value)
    else for (const [name, value] of values) if (matchGlob(pattern, name, true)) found.set(name, value)
  }
  return new MapReply([...found].flat())
}

function configSet(client: Client, args: readonly string[]): Reply {
  if (args.length % 2 !== 0) fail("ERR wrong number of arguments for 'config|set' command")
  const names = new Set<string>()
  for (let i = 2; i < args.length; i += 2) {
    const name = (args[i] as string).toLowerCase()
    if (!client.engine.config.values.has(name))
      fail(quoting`ERR Unknown option or number of arguments for CONFIG SET - '${args[i]}'`)
    if (names.has(name))
      fail(quoting`ERR CONFIG SET failed (possibly related to argument '${args[i]}') - duplicate parameter`)
    names.add(name)
  }
  // Either all are set or none.
  const { config } = client.engine
  const before: (readonly [name: string, value: string])[] = []
  try {
    for (let i = 2; i < args.length; i += 2) {
      const name = (args[i] as string).toLowerCase()
      const old = config.values.get(name) as string
      config.set(name, args[i + 1] as string)
      before.push([name, old])
    }
  } catch (error) {
    for (const [name, old] of before) config.set(name, old)
    throw error
  }
  return OK
}

/** Replies after `seconds`. Other clients are served meanwhile. */
function sleepFor(client: Client, seconds: number): Outcome {
  setTimer(() => client.deliver(OK), seconds * 1000)
  return LATER
}

function memoryOf(client: Client, args: readonly string[]): Reply {
  for (let i = 3; i < args.length; i += 2) {
    if (args[i]?.toUpperCase() !== 'SAMPLES' || args[i + 1] === undefined) fail(SYNTAX)
    if (int(args[i + 1]) < 0) fail(SYNTAX)
  }
  const value = client.find(args[2] as string)
  return value === undefined ? null : sizeOf(args[2] as string, value)
}

export const server: Family = {
  info: (client, args) => new Verbatim(info(client.engine, args.slice(1))),
  time: (client) => {
    const ms = client.now
    return [`${Math.floor(ms / 1000)}`, `${Math.floor((ms % 1000) * 1000)}`]
  },
  'config|get': configGet,
  'config|set': configSet,
  'config|resetstat'({ engine }) {
    engine.commandsRun = engine.connections = engine.expired = engine.evicted = 0
    for (const command of engine.table.values()) command.calls = 0
    return OK
  },
  'config|rewrite': () => fail('ERR The server is running without a config file'),
  'debug|sleep': (client, args) => sleepFor(client, float(args[2])),
  debug(client, args) {
    const what = args[1]?.toLowerCase()
    if (what === 'sleep') return sleepFor(client, float(args[2]))
    if (
      what === 'jmap' ||
      what === 'set-active-expire' ||
      what === 'quicklist-packed-threshold' ||
      what === 'change-repl-id'
    )
      return OK
    if (what === 'object') {
      const value = client.find(args[2] as string) ?? fail('ERR no such key')
      return new Simple(
        `Value at:0x0 refcount:1 encoding:raw serializedlength:${sizeOf('', value)} lru:0 lru_seconds_idle:0`,
      )
    }
    return fail(quoting`ERR unknown subcommand '${args[1]}'. Try DEBUG HELP.`)
  },
  lastsave: (client) => Math.floor(client.engine.startedMs / 1000),
  save: () => OK,
  bgsave: (_client, args) =>
    args.length > 1 && args[1]?.toUpperCase() !== 'SCHEDULE' ? fail(SYNTAX) : new Simple('Background saving started'),
  bgrewriteaof: () => new Simple('Background append only file rewriting started'),
  role: () => ['master', 0, []],
  wait(_client, args) {
    int(args[1])
    if (int(args[2], 'ERR timeout is not an integer or out of range') < 0) fail('ERR timeout is negative')
    return 0
  },
  waitaof(_client, args) {
    int(args[1])
    const local = intBetween(args[1], 0, 1, 'ERR value is out of range, value must between 0 and 1')
    intBetween(args[2], 0, 2 ** 63, 'ERR value is out of range, must be positive')
    int(args[3])
    return local > 0 ? fail('ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.') : [0, 0]
  },
  readonly: () => fail('ERR This instance has cluster support disabled'),
  readwrite: () => fail('ERR This instance has cluster support disabled'),
  asking: () => fail('ERR This instance has cluster support disabled'),
  cluster: () => fail('ERR This instance has cluster support disabled'),
  monitor(client) {
    if (!client.mayWait) fail("ERR MONITOR isn't allowed for DENY BLOCKING client")
    client.monitors = true
    client.engine.monitors.add(client)
    return OK
  },
  'memory|usage': memoryOf,
  'memory|doctor': () => new Verbatim('Sam, I detected no issues in this instance'),
  'memory|purge': () => OK,
  'memory|stats': (client) =>
    new MapReply(['keys.count', client.engine.databases.reduce((sum, db) => sum + db.entries.size, 0)]),
  'slowlog|get'(_client, args) {
    if (args[2] !== undefined) intBetween(args[2], -1, 2 ** 63, 'ERR count should be greater than or equal to -1')
    return []
  },
  'slowlog|len': () => 0,
  'slowlog|reset': () => OK,
  'latency|latest': () => [],
  'latency|history': () => [],
  'latency|reset': () => 0,
  'latency|doctor': () => new Verbatim('Dave, no latency spike was observed during the lifetime of this instance'),
  'module|list': () => [],
  lolwut: () => new Verbatim('hither, in this process\n'),
  shutdown(client, args) {
    for (const word of args.slice(1)) if (!/^(nosave|save|now|force|abort)$/i.test(word)) fail(SYNTAX)
    if (!client.engine.onShutdown) fail('ERR Errors trying to SHUTDOWN. Check logs.')
    client.engine.onShutdown?.()
    return SENT
  },
}
