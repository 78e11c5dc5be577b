import { type Chance, createChance } from './history.ts'

/** A command about users, settings or connections. It changes a server for all clients, so it runs on a separate server. */
export type Words = readonly string[]

const PARAMETERS =
  'maxmemory maxmemory-policy maxmemory-samples hz appendfsync save loglevel tcp-keepalive slowlog-log-slower-than slowlog-max-len latency-monitor-threshold notify-keyspace-events hash-max-listpack-entries hash-max-ziplist-entries hash-max-listpack-value list-max-listpack-size list-compress-depth set-max-intset-entries zset-max-listpack-entries zset-max-ziplist-value hll-sparse-max-bytes stream-node-max-bytes stream-node-max-entries activerehashing lazyfree-lazy-eviction lfu-log-factor lfu-decay-time busy-reply-threshold lua-time-limit tracking-table-max-keys acllog-max-len databases dynamic-hz latency-tracking tcp-backlog MaxMemory nosuch'.split(
    ' ',
  )
const VALUES = [
  '',
  'x',
  '-1',
  '0',
  '10',
  '1.5',
  '64mb',
  '64MB',
  '2g',
  '10xb',
  'mb',
  'yes',
  'no',
  'YES',
  'maybe',
  'noeviction',
  'ALLKEYS-LRU',
  'AKE',
  'Kg$',
  'Q',
  '99999999999999999999',
  '-2',
  ' 1',
  '3600 1',
  '3600 1 300',
  'NOTICE',
  'always',
]
const HASH = 'a'.repeat(64)
const RULES = [
  ...['on', 'off', 'ON', 'nopass', 'resetpass', '>pw', '<pw', '<none', `#${HASH}`, '#xyz', `!${HASH}`, '!xyz'],
  ...['~*', '~k:*', '%R~r:*', '%W~w:*', '%RW~b:*', '%R~', 'allkeys', 'resetkeys', '&*', '&c:*', 'allchannels'],
  ...['resetchannels', '+get', '-get', '+config|get', '-config|get', '+config', '+nosuch', '-nosuch', '+@read'],
  ...['-@read', '+@nosuch', '-@all', '+@all', 'allcommands', 'nocommands', '+get|x', '+config|nosuch', 'reset'],
  ...['clearselectors', '(+get', 'sanitize-payload', 'skip-sanitize-payload', 'nonsense', '', '-@write', '+set'],
  ...['+@string', '-set', '+select|0', '+publish', '+subscribe', '+copy', '+bitfield'],
]
const TRIED: readonly Words[] = [
  ['get', 'k:1'],
  ['get', 'r:1'],
  ['set', 'w:1', 'x'],
  ['set', 'r:1', 'x'],
  ['set', 'w:1', 'x', 'GET'],
  ['bitfield', 'r:1', 'GET', 'u8', '0'],
  ['bitfield', 'r:1', 'SET', 'u8', '0', '1'],
  ['config', 'get', 'x'],
  ['config', 'set', 'x', 'y'],
  ['publish', 'c:1', 'x'],
  ['publish', 'd', 'x'],
  ['subscribe', 'c:1'],
  ['mget', 'k:1', 'x'],
  ['nosuch'],
  ['get'],
  ['copy', 'k:1', 'b:1'],
]
const of = (parent: string, lines: string): Words[] =>
  lines.split('|').map((line) => [parent, ...line.trim().split(' ').filter(Boolean)])

const CLIENT = of(
  'CLIENT',
  'TRACKING ON|TRACKING ON BCAST|TRACKING OFF|TRACKING ON BCAST PREFIX a PREFIX b|TRACKINGINFO|TRACKING ON BCAST PREFIX ab|TRACKING OFF|TRACKING ON BCAST PREFIX a PREFIX ab|TRACKING ON BCAST PREFIX a PREFIX a|TRACKING OFF|TRACKING ON OPTIN|TRACKING ON OPTOUT|TRACKINGINFO|CACHING YES|TRACKINGINFO|CACHING NO|TRACKING ON OPTIN OPTOUT|TRACKING ON|TRACKINGINFO|TRACKING OFF|TRACKING ON OPTOUT NOLOOP|CACHING NO|TRACKINGINFO|GETREDIR|TRACKING OFF x|TRACKING x|TRACKING ON REDIRECT 999999|TRACKING ON REDIRECT x|TRACKING ON PREFIX a|TRACKING ON OPTIN BCAST|TRACKING OFF|TRACKING ON REDIRECT|LIST x|LIST TYPE x|LIST TYPE|LIST ID|LIST ID x|LIST ID 999999|LIST TYPE replica|LIST TYPE NORMAL x|KILL|KILL x|KILL 1.2.3.4:5|KILL ID x|KILL ID 0|KILL ID -1|KILL ID 999999|KILL TYPE x|KILL TYPE replica|KILL USER nobody|KILL ADDR x|KILL LADDR x|KILL SKIPME x|KILL ID 999999 SKIPME yes|KILL ID|KILL MAXAGE x|KILL MAXAGE 0|KILL MAXAGE 99999|KILL ID 999999 x y|NO-EVICT|NO-EVICT ON|NO-TOUCH maybe|REPLY|REPLY x|REPLY ON|UNPAUSE|UNPAUSE x|PAUSE|PAUSE 1 x|PAUSE 0|PAUSE 0 WRITE|PAUSE -1|PAUSE x|PAUSE 99999999999999999999|UNPAUSE|ID x|INFO x|SETNAME|SETNAME a b|SETNAME a|GETNAME|SETINFO|SETINFO LIB-NAME|SETINFO lib-x 1|UNBLOCK|UNBLOCK 1 x|UNBLOCK 999999|UNBLOCK 999999 ERROR|CACHING|CACHING YES|CACHING x|GETREDIR x',
)
const OTHERS: readonly Words[] = [
  ['CLIENT', 'SETINFO', 'LIB-NAME', 'a b'],
  ['CLIENT', 'SETINFO', 'lib-ver', '1\n'],
  ...of(
    'CONFIG',
    'SET hz 10 maxmemory 0 nosuch 1|SET hz 10 hz 11|SET hz 20 maxmemory-policy x|GET hz|SET maxmemory 5mb hz x',
  ),
  ...of('CONFIG', 'GET maxmemory|GET HZ|GET [h]z|GET h?|RESETSTAT x|RESETSTAT|REWRITE|SET hz|GET nosuch hz'),
  ...of('ACL', 'SETUSER|SETUSER v|GETUSER v|DELUSER v|DELUSER nobody x|DELUSER default u|USERS|WHOAMI|LOG x|LOG RESET'),
  ...of('ACL', 'DRYRUN default get a|GETUSER default|GENPASS 0|GENPASS 5000|CAT nosuch|DRYRUN nobody get a'),
  ['ACL', 'SETUSER', 'a b', 'on'],
  ...of('HELLO', '1|4|x|3 x|3 AUTH|3 AUTH a b|9999999999999999999999'),
  ['HELLO', '2', 'SETNAME', 'a\n'],
  ...of('AUTH', 'a|a b|default x|default||a b c'),
  ...of('SLOWLOG', 'GET -2|GET 0|GET x|RESET|RESET x'),
  ...of('MEMORY', 'USAGE none SAMPLES x|USAGE none SAMPLES -1|USAGE none x|USAGE none|NOSUCH'),
  ...of('WAITAOF', '0 0 0|1 0 0|2 0 0|x 0 0|0 x 0'),
  ...of('LATENCY', 'HISTORY x|RESET x'),
  ...of('PUBSUB', 'CHANNELS|NUMSUB|NUMSUB a b|NUMPAT|SHARDCHANNELS|SHARDNUMSUB a|x'),
  ['BGSAVE', 'x'],
  ['INFO', 'nosuch'],
]

/** Returns commands with every parameter and value, every ACL rule alone, random combinations of rules, and the rest once. */
export function serverTalk(seed: number): Words[] {
  const chance: Chance = createChance(seed)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(chance() * items.length)] as T
  const settings = PARAMETERS.flatMap((name) =>
    VALUES.flatMap((value) => [
      ['CONFIG', 'SET', name, value],
      ['CONFIG', 'GET', name],
    ]),
  )
  const shown = [
    ['ACL', 'GETUSER', 'u'],
    ['ACL', 'LIST'],
  ]
  const alone = RULES.flatMap((rule) => [['ACL', 'DELUSER', 'u'], ['ACL', 'SETUSER', 'u', rule], ...shown])
  const users = Array.from({ length: 300 }, (_, i) => {
    const rules = Array.from({ length: 1 + Math.floor(chance() * 3) }, () => pick(RULES))
    const start = i % 5 === 0 ? [['ACL', 'DELUSER', 'u']] : []
    return [...start, ['ACL', 'SETUSER', 'u', ...rules], ...shown, ['ACL', 'DRYRUN', 'u', ...pick(TRIED)]]
  })
  return [...settings, ...alone, ...users.flat(), ['ACL', 'DELUSER', 'u'], ...CLIENT, ...OTHERS]
}
