/**
 * Writes `src/gateway/command-table.ts`: every command of Redis 7, Redis 8 and Valkey with its kind and the positions of its
 * keys. The kinds are decided here, for each command; the positions are those that the servers report.
 *
 *   node scripts/commands.ts          starts its own servers, asks them, and writes the file
 *
 * It fails if a server knows a command that has no kind here, or flags a command as a write that is a read here.
 */
import { writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { tcpTransport } from '../adapters/tcp/index.ts'
import { startServers } from './servers.ts'

const words = (text: string): string[] => text.trim().split(/\s+/)

/** Mark of a kind in the table → its commands; a subcommand is joined by `|`. */
const kinds: Readonly<Record<string, readonly string[]>> = {
  // changes no data
  r: words(`
    BITCOUNT BITFIELD_RO BITPOS DBSIZE ECHO EXISTS EXPIRETIME GEODIST GEOHASH GEOPOS GEORADIUSBYMEMBER_RO GEORADIUS_RO
    GEOSEARCH GET GETBIT GETRANGE HEXISTS HEXPIRETIME HGET HGETALL HKEYS HLEN HMGET HPEXPIRETIME HPTTL HRANDFIELD HSCAN
    HSTRLEN HTTL HVALS INFO LINDEX LLEN LPOS LRANGE MGET PEXPIRETIME PFCOUNT PING PTTL PUBSUB|CHANNELS PUBSUB|NUMPAT
    PUBSUB|NUMSUB RANDOMKEY SCAN SCARD SCRIPT|EXISTS SDIFF SINTER SINTERCARD SISMEMBER SMEMBERS SMISMEMBER SRANDMEMBER
    SSCAN STRLEN SUBSTR SUNION TIME TTL TYPE VCARD VDIM VEMB VGETATTR VINFO VISMEMBER VLINKS VRANDMEMBER VSIM
    XINFO|CONSUMERS XINFO|GROUPS XINFO|STREAM XLEN XPENDING XRANGE XREAD XREVRANGE ZCARD ZCOUNT ZDIFF ZINTER ZINTERCARD
    ZLEXCOUNT ZMSCORE ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANK ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE
    ZREVRANK ZSCAN ZSCORE ZUNION
    JSON.ARRINDEX JSON.ARRLEN JSON.GET JSON.MGET JSON.OBJKEYS JSON.OBJLEN JSON.RESP JSON.STRLEN JSON.TYPE`),
  w: words(`
    APPEND BITFIELD BITOP COPY DECR DECRBY DEL DELIFEQ EXPIRE EXPIREAT GEOADD GEORADIUS GEORADIUSBYMEMBER GEOSEARCHSTORE
    GETDEL GETEX GETSET HDEL HEXPIRE HEXPIREAT HGETDEL HGETEX HINCRBY HINCRBYFLOAT HMSET HPERSIST HPEXPIRE HPEXPIREAT
    HSET HSETEX HSETNX INCR INCRBY INCRBYFLOAT LINSERT LMOVE LMPOP LPOP LPUSH LPUSHX LREM LSET LTRIM MSET MSETEX MSETNX
    PERSIST PEXPIRE PEXPIREAT PFADD PFMERGE PSETEX PUBLISH RENAME RENAMENX RPOP RPOPLPUSH RPUSH RPUSHX SADD SCRIPT|FLUSH
    SCRIPT|LOAD SDIFFSTORE SET SETBIT SETEX SETNX SETRANGE SINTERSTORE SMOVE SPOP SREM SUNIONSTORE TOUCH UNLINK VADD
    VREM VSETATTR XACK XACKDEL XADD XAUTOCLAIM XCLAIM XDEL XDELEX XGROUP|CREATE XGROUP|CREATECONSUMER
    XGROUP|DELCONSUMER XGROUP|DESTROY XGROUP|SETID XREADGROUP XSETID XTRIM ZADD ZDIFFSTORE ZINCRBY ZINTERSTORE ZMPOP
    ZPOPMAX ZPOPMIN ZRANGESTORE ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE ZUNIONSTORE
    JSON.ARRAPPEND JSON.ARRINSERT JSON.ARRPOP JSON.ARRTRIM JSON.CLEAR JSON.DEL JSON.FORGET JSON.MERGE JSON.MSET
    JSON.NUMINCRBY JSON.NUMMULTBY JSON.SET JSON.STRAPPEND JSON.TOGGLE`),
  // runs a script that the caller sends or has stored
  s: words('EVAL EVALSHA EVALSHA_RO EVAL_RO FCALL FCALL_RO'),
  // replies more than once, so it has a separate path
  l: words('PSUBSCRIBE SUBSCRIBE'),
  // only for the role `admin`
  a: words(`
    CLIENT|GETNAME CLIENT|ID CLIENT|INFO CLIENT|LIST COMMAND|COUNT COMMAND|DOCS COMMAND|GETKEYS
    COMMAND|GETKEYSANDFLAGS COMMAND|INFO COMMAND|LIST COMMANDLOG|GET COMMANDLOG|LEN COMMANDLOG|RESET
    FLUSHALL FLUSHDB FUNCTION|DELETE FUNCTION|DUMP FUNCTION|FLUSH FUNCTION|LIST FUNCTION|LOAD
    FUNCTION|STATS KEYS LASTSAVE LATENCY|DOCTOR LATENCY|GRAPH LATENCY|HISTOGRAM LATENCY|HISTORY LATENCY|LATEST
    LATENCY|RESET MEMORY|DOCTOR MEMORY|MALLOC-STATS MEMORY|STATS MEMORY|USAGE MONITOR ROLE SLOWLOG|GET SLOWLOG|LEN
    SLOWLOG|RESET`),
  // keeps state on its connection, which all requests share
  c: words(`
    ASKING AUTH CLIENT|CACHING CLIENT|CAPA CLIENT|GETREDIR CLIENT|IMPORT-SOURCE CLIENT|NO-EVICT CLIENT|NO-TOUCH
    CLIENT|REPLY CLIENT|SETINFO CLIENT|SETNAME CLIENT|TRACKING CLIENT|TRACKINGINFO DISCARD EXEC HELLO MULTI PUNSUBSCRIBE
    QUIT READONLY READWRITE RESET SPUBLISH SSUBSCRIBE SUNSUBSCRIBE UNSUBSCRIBE UNWATCH WATCH PUBSUB|SHARDCHANNELS
    PUBSUB|SHARDNUMSUB`),
  // blocks, and with it all later commands on the connection
  b: words('BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN WAIT WAITAOF'),
  // chooses a database or a host
  d: words('FAILOVER MIGRATE MOVE PSYNC REPLCONF REPLICAOF SELECT SLAVEOF SWAPDB SYNC'),
  // changes or endangers the server itself
  x: words(`
    ACL|CAT ACL|DELUSER ACL|DRYRUN ACL|GENPASS ACL|GETUSER ACL|LIST ACL|LOAD ACL|LOG ACL|SAVE ACL|SETUSER ACL|USERS
    ACL|WHOAMI BGREWRITEAOF BGSAVE CLIENT|KILL CLIENT|PAUSE CLIENT|UNBLOCK CLIENT|UNPAUSE CONFIG|REWRITE CONFIG|SET DEBUG
    CONFIG|GET CONFIG|RESETSTAT FUNCTION|KILL FUNCTION|RESTORE MEMORY|PURGE MODULE|LIST MODULE|LOAD MODULE|LOADEX MODULE|UNLOAD PFDEBUG PFSELFTEST
    RESTORE RESTORE-ASKING SAVE SCRIPT|DEBUG SCRIPT|KILL SCRIPT|SHOW SHUTDOWN`),
  // not in Upstash either, or of no use in front of a single server
  u: words(`DUMP LCS LOLWUT OBJECT|ENCODING OBJECT|FREQ OBJECT|IDLETIME OBJECT|REFCOUNT SORT SORT_RO`),
}
/** Commands whose subcommands are all of one kind, since they differ from version to version. */
const families: Readonly<Record<string, string>> = { CLUSTER: 'd', CLUSTERSCAN: 'd' }

/** Key positions of commands that none of these servers has, and of PUBLISH, whose channel counts as a key here. */
const keys: Readonly<Record<string, string>> = {
  PUBLISH: '1:0:1:0',
  MSETEX: '1#0:1:2',
  XACKDEL: '1:0:1:0',
  XDELEX: '1:0:1:0',
  'JSON.MGET': '1:-2:1:0',
  'JSON.MSET': '1:-1:3:0',
}

export interface ServerCommand {
  /** In upper case; a subcommand follows `|`. */
  readonly name: string
  readonly flags: readonly string[]
  /** In the form of the table; `?` if the server does not know all positions. */
  readonly keys: string
}

type Reply = readonly unknown[]
const pairs = (flat: unknown): Record<string, unknown> => {
  const list = flat as Reply
  return Object.fromEntries(list.flatMap((key, i) => (i % 2 === 0 ? [[String(key), list[i + 1]]] : [])))
}

/**
 * The positions of keys as text. `1:0:1:0` is a range: first, last (counted from the first, or from the end if negative), step,
 * limit. `2#0:1:1` is a list with a count before it. `STREAMS@1` instead of the first number starts after that keyword.
 */
function keySpec(reply: unknown): string {
  const { begin_search, find_keys, flags = [] } = pairs(reply) as Record<string, Reply>
  if ((flags as string[]).includes('not_key')) return ''
  const [begin, find] = [pairs(begin_search), pairs(find_keys)]
  const at = pairs(begin.spec)
  const how = pairs(find.spec)
  const start = begin.type === 'index' ? at.index : `${at.keyword}@${at.startfrom}`
  if (begin.type === 'unknown' || find.type === 'unknown' || (flags as string[]).includes('incomplete')) return '?'
  return find.type === 'range'
    ? `${start}:${how.lastkey}:${how.keystep}:${how.limit}`
    : `${start}#${how.keynumidx}:${how.firstkey}:${how.keystep}`
}

/** The commands that a server reports. A command with subcommands is left out for its subcommands. */
export async function commandsOf(url: string): Promise<ServerCommand[]> {
  const transport = tcpTransport({ url })
  const reply = (await transport.send({ args: ['COMMAND'], effect: 'read' })) as unknown as readonly Reply[]
  await transport.close()
  const found: ServerCommand[] = []
  const add = (command: Reply): void => {
    const [name, , flags, first, last, step, , , specs, subcommands] = command as [string, ...Reply]
    const family = String(name).toUpperCase().split('|')[0] as string
    if (Array.isArray(subcommands) && subcommands.length > 0 && !(family in families)) {
      for (const each of subcommands) add(each as Reply)
      return
    }
    if (/\|HELP$/i.test(name)) return
    const own = (specs as readonly unknown[]).map(keySpec).filter(Boolean)
    // a module may report its keys only in the old form
    if (own.length === 0 && Number(first) > 0)
      own.push(`${first}:${Number(last) < 0 ? last : Number(last) - Number(first)}:${step}:0`)
    found.push({ name: String(name).toUpperCase(), flags: flags as string[], keys: own.join(' ') })
  }
  for (const command of reply) add(command)
  return found
}

/** Lines `NAME kind keys…`, sorted. Throws if a command has no kind, or is a read here and a write to its server. */
export function tableOf(servers: readonly (readonly ServerCommand[])[]): string[] {
  const rows = new Map<string, { kind: string; keys: string }>()
  for (const [kind, names] of Object.entries(kinds)) {
    for (const name of names) {
      if (rows.has(name)) throw new Error(`${name} has two kinds`)
      rows.set(name, { kind, keys: keys[name] ?? (name.startsWith('JSON.') ? '1:0:1:0' : '') })
    }
  }
  for (const [family, kind] of Object.entries(families)) rows.set(family, { kind, keys: '' })
  for (const command of servers.flat()) {
    const row = rows.get(command.name)
    if (!row) throw new Error(`${command.name} has no kind: give it one in scripts/commands.ts`)
    if (row.kind === 'r' && command.flags.includes('write')) throw new Error(`${command.name} writes`)
    if (!'rwsa'.includes(row.kind) || command.name in keys) continue
    // where versions differ, takes the one that reports more keys
    if (command.keys.length > row.keys.length) row.keys = command.keys
  }
  return [...rows].map(([name, row]) => `${name} ${row.kind} ${row.keys}`.trim()).sort()
}

async function main(): Promise<void> {
  const { env, stop } = await startServers(['redis7', 'redis8', 'valkey'])
  try {
    const rows = tableOf(await Promise.all(Object.values(env).map(commandsOf)))
    const text = `// Written by scripts/commands.ts, which says what each mark means. Do not edit. A line for each command of any server.
export const COMMAND_TABLE: string = \`
${rows.join('\n')}
\`
`
    writeFileSync(fileURLToPath(new URL('../src/gateway/command-table.ts', import.meta.url)), text)
    console.log(`${rows.length} commands`)
  } finally {
    await stop()
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) await main()
