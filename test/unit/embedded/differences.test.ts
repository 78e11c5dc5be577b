import { expect, it } from 'vitest'
import { Engine } from '../../../src/embedded/index.ts'
import type { Reply } from '../../../src/embedded/reply.ts'
import { Double, encode } from '../../../src/embedded/reply.ts'

/** Commands whose replies once differed from those of Redis 8. Each line: a command, then the reply of Redis 8. */
const LINES: readonly (readonly [command: string, reply: string])[] = [
  ['RPUSH l a b c', ':3'],
  ['SORT l BY nosort DESC', '*3 $1 c $1 b $1 a'],
  ['LSET l 4294967295 z', '+OK'],
  ['LSET l 2147483647 z', '-ERR index out of range'],
  ['LINDEX l -1', '$1 z'],
  ['HSET h f inf g 0x1.8p3', ':2'],
  ['HINCRBYFLOAT h f 1', '-ERR increment would produce NaN or Infinity'],
  ['HINCRBYFLOAT h g 1', '$2 13'],
  ['SET s 0x10', '+OK'],
  ['INCRBYFLOAT s 0x1p4', '$2 32'],
  ['BITPOS s 1 "" 0 100 BYTE', '-ERR syntax error'],
  ['BITPOS s 1 0 x 100', '-ERR syntax error'],
  ['SET n \u0000', '+OK'],
  ['BITPOS n 0 -1 -9', ':0'],
  [
    'HRANDFIELD h -9223372036854775808',
    '-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807',
  ],
  ['HRANDFIELD h 9223372036854775807 WITHVALUES', '-ERR value is out of range'],
  ['HEXPIRE h 9223372036854775807 x FIELDS 1 f', "-ERR invalid expire time in 'hexpire' command"],
  ['HSETEX h FIELDS 9223372036854775807 a b', '-ERR invalid number of fields'],
  ['HGETEX h PX 0 FIELDS 2 f f', '*2 $3 inf $-1'],
  ['HSCAN h 5', '*2 $1 0 *2 $1 g $2 13'],
  ['ZADD z 1 a 2 b 3 c', ':3'],
  ['ZCOUNT z 0x1 2', '-ERR min or max is not a float'],
  ['ZRANGE z 0 -1 REV LIMIT 1 -1', '*3 $1 c $1 b $1 a'],
  ['ZINCRBY z -0 m', '$2 -0'],
  ['GEOADD g XX NX 1 1 a', '-ERR syntax error'],
  ['GEOADD g 200 -0 a', '-ERR invalid longitude,latitude pair 200.000000,-0.000000'],
  ['GEOADD g 13.36 38.11 a 15.08 37.50 b 2.35 48.85 c', ':3'],
  ['GEORADIUS g 14 38 200 km', '*2 $1 a $1 b'],
  ['GEOSEARCH g FROMLONLAT 14 38 BYRADIUS 3000 km COUNT 1 ANY', '*1 $1 a'],
  ['XADD x 7-1 a b', '$3 7-1'],
  ['XGROUP CREATE x g2 1-2 ENTRIESREAD 100', '+OK'],
  ['XGROUP CREATE x g1 0', '+OK'],
  [
    'XINFO GROUPS x',
    '*2 *12 $4 name $2 g1 $9 consumers :0 $7 pending :0 $17 last-delivered-id $3 0-0 $12 entries-read $-1 $3 lag :1 *12 $4 name $2 g2 $9 consumers :0 $7 pending :0 $17 last-delivered-id $3 1-2 $12 entries-read :100 $3 lag :1',
  ],
  ['XINFO STREAM x COUNT 1', "-ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO HELP."],
  ['BRPOPLPUSH none l 0.01 extra', "-ERR wrong number of arguments for 'brpoplpush' command"],
  ['EXEC x', "-EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command"],
  ['MULTI', '+OK'],
  ['MULTI', '-ERR MULTI calls can not be nested'],
  ['WATCH s', '-ERR WATCH inside MULTI is not allowed'],
  ['BLMOVE none l LEFT LEFT 0', '+QUEUED'],
  ['BLPOP none 0', '+QUEUED'],
  ['EXEC', '*2 $-1 *-1'],
  ['SADD odd \u0000 2 1\u0000x', ':3'],
  ['SADD blank 3 \t1', ':2'],
  ['SORT blank', "-ERR One or more scores can't be converted into double"],
  ['SADD hex 3 0x10', ':2'],
  ['SORT hex', "-ERR One or more scores can't be converted into double"],
  ['SORT odd', '*3 $1 \u0000 $3 1\u0000x $1 2'],
  ['XADD all 1-1 a b', '$3 1-1'],
  ['XGROUP CREATE all g 0', '+OK'],
  ['XREADGROUP GROUP g c STREAMS all 0', '*1 *2 $3 all *0'],
  [
    'XREADGROUP GROUP g c STREAMS all 18446744073709551615-18446744073709551615',
    '*1 *2 $3 all *1 *2 $3 1-1 *2 $1 a $1 b',
  ],
  ['XREADGROUP GROUP g c STREAMS all 18446744073709551615', '*1 *2 $3 all *0'],
  ['CLIENT KILL USER nobody', "-ERR No such user 'nobody'"],
  ['CLIENT KILL MAXAGE 0', '-ERR maxage should be greater than 0'],
  ['CLIENT KILL TYPE x\u0000y', "-ERR Unknown client type 'x'"],
  ['PEXPIRE s 1000 \u0000x', '-ERR Unsupported option'],
  ['no\u0000such a\u0000b c', "-ERR unknown command 'no', with args beginning with: 'a' 'c'"],
  ['ZADD far 6.57 2', ':1'],
  ['GEORADIUSBYMEMBER far 2 3000.5 ft WITHHASH', '*1 *2 $1 2 :6'],
  ['XADD many 1-1 a b', '$3 1-1'],
  ['XSETID many 1-1 ENTRIESADDED 9223372036854775807', '+OK'],
  ['XADD many 1-2 a b', '$3 1-2'],
  [
    'XINFO STREAM many',
    '*20 $6 length :2 $15 radix-tree-keys :1 $16 radix-tree-nodes :2 $17 last-generated-id $3 1-2 $20 max-deleted-entry-id $3 0-0 $13 entries-added :-9223372036854775808 $23 recorded-first-entry-id $3 1-1 $6 groups :0 $11 first-entry *2 $3 1-1 *2 $1 a $1 b $10 last-entry *2 $3 1-2 *2 $1 a $1 b',
  ],
  ['XGROUP CREATE many g 1-1 ENTRIESREAD 9223372036854775807', '+OK'],
  [
    'XINFO GROUPS many',
    '*1 *12 $4 name $1 g $9 consumers :0 $7 pending :0 $17 last-delivered-id $3 1-1 $12 entries-read :9223372036854775807 $3 lag :1',
  ],
  ['XTRIM x LIMIT 10', '-ERR syntax error, LIMIT cannot be used without specifying a trimming strategy'],
  ['XTRIM x LIMIT 0', '-ERR syntax error, XTRIM must be called with a trimming strategy'],
  ['XADD x LIMIT 0 * a b', '-ERR syntax error, LIMIT cannot be used without the special ~ option'],
  ['XADD read 9-0 a b', '$3 9-0'],
  ['XADD read 9-1 a b', '$3 9-1'],
  ['XGROUP CREATE read g 1-1 ENTRIESREAD 5', '+OK'],
  ['XREADGROUP GROUP g c NOACK STREAMS read >', '*1 *2 $4 read *2 *2 $3 9-0 *2 $1 a $1 b *2 $3 9-1 *2 $1 a $1 b'],
  [
    'XINFO GROUPS read',
    '*1 *12 $4 name $1 g $9 consumers :1 $7 pending :0 $17 last-delivered-id $3 9-1 $12 entries-read :2 $3 lag :0',
  ],
  ['WATCH read', '+OK'],
  ['XGROUP CREATE read h 0', '+OK'],
  ['XGROUP CREATECONSUMER read h c', ':1'],
  ['XREADGROUP GROUP h c COUNT 1 STREAMS read >', '*1 *2 $4 read *1 *2 $3 9-0 *2 $1 a $1 b'],
  ['XCLAIM read h d 0 9-0 JUSTID', '*1 $3 9-0'],
  ['XACK read h 9-0', ':1'],
  ['XSETID read 9-9', '+OK'],
  ['MULTI', '+OK'],
  ['EXEC', '*0'],
  ['WATCH made', '+OK'],
  ['XGROUP CREATE made g 0 MKSTREAM', '+OK'],
  ['MULTI', '+OK'],
  ['EXEC', '*-1'],
  ['PUBSUB NUMSUB a', '*2 $1 a :0'],
  ['ZRANGE zz 0 -1 REV REV', '-ERR syntax error'],
  ['ZRANGE zz 0 -1 BYSCORE BYSCORE', '-ERR syntax error'],
  ['ZRANGE zz - + BYSCORE BYLEX', '-ERR syntax error'],
  ['ZRANGESTORE d zz 0 -1 REV REV', '-ERR syntax error'],
  ['SCAN 0 NOVALUES', '-ERR NOVALUES option can only be used in HSCAN'],
  [
    'GEOSEARCHSTORE d g FROMLONLAT 14 38 BYRADIUS 1 km WITHDIST',
    '-ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options',
  ],
  ['HGETEX h EX 10 PERSIST FIELDS 1 f', '-ERR Mandatory argument FIELDS is missing or not at the right position'],
  ['HGETEX h PERSIST PX 10 FIELDS 1 f', '-ERR Mandatory argument FIELDS is missing or not at the right position'],
  ['CLIENT pause 1 ALL x', "-ERR unknown subcommand or wrong number of arguments for 'pause'. Try CLIENT HELP."],
  ['CLIENT UNBLOCK 1 ERROR x', "-ERR unknown subcommand or wrong number of arguments for 'UNBLOCK'. Try CLIENT HELP."],
  ['SLOWLOG GET 1 2', "-ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP."],
  ['PUBSUB CHANNELS a b', "-ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try PUBSUB HELP."],
  ['ACL CAT string x', "-ERR unknown subcommand or wrong number of arguments for 'CAT'. Try ACL HELP."],
  ['ACL LOG 1 2', "-ERR unknown subcommand or wrong number of arguments for 'LOG'. Try ACL HELP."],
  ['ACL GENPASS 8 8', "-ERR unknown subcommand or wrong number of arguments for 'GENPASS'. Try ACL HELP."],
  ['ACL GENPASS x', '-ERR value is not an integer or out of range'],
  ['FUNCTION FLUSH SYNC x', "-ERR unknown subcommand or wrong number of arguments for 'FLUSH'. Try FUNCTION HELP."],
  ['COMMAND NOSUCH', "-ERR unknown subcommand 'NOSUCH'. Try COMMAND HELP."],
  ['WAIT x 0', '-ERR value is not an integer or out of range'],
  ['WAIT 0 x', '-ERR timeout is not an integer or out of range'],
  ['WAIT 0 -1', '-ERR timeout is negative'],
  ['WAIT 0 0', ':0'],
  ['RPUSH mine 1', ':1'],
  ['ACL SETUSER some on nopass ~mine* +@all', '+OK'],
  ['ACL SETUSER reader on nopass %R~* +@all', '+OK'],
  ['AUTH some x', '+OK'],
  ['SORT mine BY theirs_* GET theirs_*', '-ERR BY option of SORT denied due to insufficient ACL permissions.'],
  ['SORT mine GET theirs_*', '-ERR GET option of SORT denied due to insufficient ACL permissions.'],
  ['SORT_RO mine BY nosort', '*1 $1 1'],
  ['AUTH reader x', '+OK'],
  ['SORT mine GET theirs_*', '*1 $-1'],
]

it('writes large numbers with the digits that a Redis 8 has', () => {
  expect([2 ** 60 + 2 ** 59, 2e23, 1e23, -1e23, 1e22, 1e21, -(2 ** 63)].map((value) => new Double(value).text)).toEqual(
    [
      '1729382256910270464',
      '199999999999999980000000',
      '99999999999999990000000',
      '-99999999999999990000000',
      '1e+22',
      '1e+21',
      '-9223372036854776000',
    ],
  )
})

it('answers as a Redis 8 what it once answered otherwise', () => {
  const engine = new Engine()
  let last: Reply = null
  const client = engine.connect({
    reply: (reply) => {
      last = reply
    },
    push() {},
  })
  for (const [command, expected] of LINES) {
    client.submit(command.split(' ').map((word) => (word === '""' ? '' : word)))
    expect([command, encode(last, 2).replaceAll('\r\n', ' ').trim()]).toEqual([command, expected])
  }
  engine.close()
})
