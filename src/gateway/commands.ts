import type { Effect } from '../protocol/operation.ts'

/** Commands that a REST request has no connection for, or that administer the server: refused on every token. */
const REFUSED = new Set(
  `ACL ASKING AUTH BGREWRITEAOF BGSAVE BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN CLIENT CLUSTER
  COMMAND CONFIG DEBUG DISCARD EXEC FAILOVER FUNCTION HELLO LATENCY MEMORY MIGRATE MODULE MONITOR MULTI OBJECT PFDEBUG
  PFSELFTEST PSUBSCRIBE PSYNC PUNSUBSCRIBE QUIT READONLY READWRITE REPLCONF REPLICAOF RESET RESTORE-ASKING ROLE SAVE
  SELECT SHUTDOWN SLAVEOF SLOWLOG SORT SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE SWAPDB SYNC UNSUBSCRIBE UNWATCH WAIT WAITAOF
  WATCH`
    .trim()
    .split(/\s+/),
)

const READS = new Set(
  `BITCOUNT BITFIELD_RO BITPOS DBSIZE ECHO EVALSHA_RO EVAL_RO EXISTS EXPIRETIME GEODIST GEOHASH GEOPOS GEOSEARCH GET
  GETBIT GETRANGE HEXISTS HGET HGETALL HKEYS HLEN HMGET HSCAN HSTRLEN HVALS INFO KEYS LINDEX LLEN LPOS LRANGE MGET
  PEXPIRETIME PFCOUNT PING PTTL RANDOMKEY SCAN SCARD SDIFF SINTER SINTERCARD SISMEMBER SMEMBERS SMISMEMBER
  SRANDMEMBER SSCAN STRLEN SUBSTR SUNION TIME TTL TYPE XINFO XLEN XRANGE XREAD XREVRANGE ZCARD ZCOUNT ZDIFF ZINTER
  ZINTERCARD ZLEXCOUNT ZMSCORE ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANK ZREVRANGE ZREVRANGEBYLEX
  ZREVRANGEBYSCORE ZREVRANK ZSCAN ZSCORE ZUNION`
    .trim()
    .split(/\s+/),
)

/** Whether a command may pass: a plain name that is not on the list of what REST cannot or must not do. */
export function isAllowed(args: readonly unknown[]): boolean {
  const name = String(args[0]).toUpperCase()
  if (!/^[A-Z][A-Z0-9._]*$/.test(name) || REFUSED.has(name)) return false
  if (name === 'SCRIPT') return !/^(DEBUG|KILL)$/i.test(String(args[1]))
  return !(/^XREAD(GROUP)?$/.test(name) && args.some((arg) => /^BLOCK$/i.test(String(arg))))
}

/** `once` unless the command is known to change nothing: the gateway sends nothing twice by itself. */
export function effectOf(args: readonly unknown[]): Effect {
  return READS.has(String(args[0]).toUpperCase()) ? 'read' : 'once'
}
