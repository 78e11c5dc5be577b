import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Redis } from '@upstash/redis'
import { describe, expect, it } from 'vitest'
import { startGateway } from '../../adapters/node/index.ts'
import { commandsOf } from '../../scripts/commands.ts'
import { ask, startServer } from '../../scripts/servers.ts'
import { type KnownCommand, knownCommands } from '../../src/gateway/commands.ts'
import { createGrants } from '../../src/gateway/tokens.ts'

// Calls every method of the official client that is a command, over the gateway before each of the three kinds of servers. From
// what ran here it makes the page of the documentation that says which commands pass.

type Case = readonly [method: string, args: readonly unknown[], expected: unknown]
/** The digest of the script `return 7`. */
const sha = '59b6ab2fbe0ee4b25733de0f62e6cda4899ef8e9'
const some = expect.not.stringMatching(/Error/)
const number = expect.any(Number)
/** The calls run in this order, on an empty database. */
const cases: readonly Case[] = [
  ['set', ['s', 'text'], 'OK'],
  ['get', ['s'], 'text'],
  ['append', ['s', '!'], 5],
  ['strlen', ['s'], 5],
  ['getrange', ['s', 0, 1], 'te'],
  ['setrange', ['s', 0, 'T'], 5],
  ['getset', ['s', 'new'], 'Text!'],
  ['getex', ['s', { ex: 100 }], 'new'],
  ['ttl', ['s'], number],
  ['pttl', ['s'], number],
  ['persist', ['s'], 1],
  ['expire', ['s', 100], 1],
  ['pexpire', ['s', 100_000], 1],
  ['expireat', ['s', 4_000_000_000], 1],
  ['pexpireat', ['s', 4_000_000_000_000], 1],
  ['type', ['s'], 'string'],
  ['exists', ['s', 'none'], 1],
  ['touch', ['s'], 1],
  ['setex', ['e', 100, 'x'], 'OK'],
  ['psetex', ['e', 100_000, 'x'], 'OK'],
  ['setnx', ['e', 'y'], 0],
  ['getdel', ['e'], 'x'],
  ['mset', [{ a: 1, b: 2 }], 'OK'],
  ['msetnx', [{ a: 1, c: 3 }], 0],
  ['mget', ['a', 'b', 'c'], [1, 2, null]],
  ['incr', ['a'], 2],
  ['incrby', ['a', 5], 7],
  ['incrbyfloat', ['a', 0.5], 7.5],
  ['decr', ['b'], 1],
  ['decrby', ['b', 3], -2],
  ['copy', ['a', 'a2'], 'COPIED'],
  ['copy', ['a', 'a'], 'NOT_COPIED'],
  ['rename', ['a2', 'a3'], 'OK'],
  ['renamenx', ['a3', 'a'], 0],
  ['randomkey', [], some],
  ['unlink', ['a3'], 1],
  ['del', ['b'], 1],
  ['setbit', ['bits', 7, 1], 0],
  ['getbit', ['bits', 7], 1],
  ['bitcount', ['bits', 0, -1], 1],
  ['bitpos', ['bits', 1], 7],
  ['bitop', ['not', 'bits2', 'bits'], 1],
  ['hset', ['h', { f: 1, g: 'two' }], 2],
  ['hget', ['h', 'f'], 1],
  ['hmget', ['h', 'f', 'x'], { f: 1, x: null }],
  ['hgetall', ['h'], { f: 1, g: 'two' }],
  ['hexists', ['h', 'f'], 1],
  ['hlen', ['h'], 2],
  ['hkeys', ['h'], ['f', 'g']],
  ['hvals', ['h'], [1, 'two']],
  ['hstrlen', ['h', 'g'], 3],
  ['hsetnx', ['h', 'f', 9], 0],
  ['hincrby', ['h', 'f', 2], 3],
  ['hincrbyfloat', ['h', 'f', 0.5], 3.5],
  ['hrandfield', ['h'], some],
  ['hscan', ['h', 0], some],
  ['hmset', ['h', { i: 1 }], 'OK'],
  ['hexpire', ['h', 'f', 100], [1]],
  ['httl', ['h', 'f'], [number]],
  ['hpexpire', ['h', 'f', 100_000], [1]],
  ['hpttl', ['h', 'f'], [number]],
  ['hexpireat', ['h', 'f', 4_000_000_000], [1]],
  ['hpexpireat', ['h', 'f', 4_000_000_000_000], [1]],
  ['hexpiretime', ['h', 'f'], [4_000_000_000]],
  ['hpexpiretime', ['h', 'f'], [4_000_000_000_000]],
  ['hpersist', ['h', 'f'], [1]],
  ['hdel', ['h', 'i'], 1],
  ['rpush', ['l', 'a', 'b', 'c'], 3],
  ['lpush', ['l', 'z'], 4],
  ['lpushx', ['none', 'z'], 0],
  ['rpushx', ['l', 'd'], 5],
  ['llen', ['l'], 5],
  ['lindex', ['l', 0], 'z'],
  ['linsert', ['l', 'before', 'a', 'y'], 6],
  ['lpos', ['l', 'a'], 2],
  ['lrange', ['l', 0, -1], ['z', 'y', 'a', 'b', 'c', 'd']],
  ['lrem', ['l', 0, 'y'], 1],
  ['lset', ['l', 0, 'Z'], 'OK'],
  ['lmove', ['l', 'l2', 'left', 'right'], 'Z'],
  ['lmpop', [1, ['l2'], 'LEFT'], ['l2', ['Z']]],
  ['lpop', ['l'], 'a'],
  ['rpop', ['l'], 'd'],
  ['ltrim', ['l', 0, 0], 'OK'],
  ['sadd', ['t', 'a', 'b', 'c'], 3],
  ['sadd', ['u', 'b', 'd'], 2],
  ['scard', ['t'], 3],
  ['sismember', ['t', 'a'], 1],
  ['smismember', ['t', ['a', 'x']], [1, 0]],
  ['smembers', ['u'], expect.arrayContaining(['b', 'd'])],
  ['sdiff', ['u', 't'], ['d']],
  ['sdiffstore', ['v', 'u', 't'], 1],
  ['sinter', ['t', 'u'], ['b']],
  ['sinterstore', ['v', 't', 'u'], 1],
  ['sintercard', [['t', 'u']], 1],
  ['sunion', ['v', 'v'], ['b']],
  ['sunionstore', ['w', 't', 'u'], 4],
  ['smove', ['t', 'u', 'a'], 1],
  ['srandmember', ['v'], 'b'],
  ['sscan', ['v', 0], ['0', ['b']]],
  ['srem', ['t', 'c'], 1],
  ['spop', ['v'], 'b'],
  ['zadd', ['z', { score: 1, member: 'a' }, { score: 2, member: 'b' }, { score: 3, member: 'c' }], 3],
  ['zcard', ['z'], 3],
  ['zcount', ['z', 1, 2], 2],
  ['zlexcount', ['z', '-', '+'], 3],
  ['zincrby', ['z', 1.5, 'a'], 2.5],
  ['zscore', ['z', 'a'], 2.5],
  ['zmscore', ['z', ['a', 'x']], [2.5, null]],
  ['zrange', ['z', 0, -1], ['b', 'a', 'c']],
  ['zrank', ['z', 'a'], 1],
  ['zrevrank', ['z', 'a'], 1],
  ['zscan', ['z', 0], some],
  ['zunionstore', ['zu', 2, ['z', 'z']], 3],
  ['zinterstore', ['zi', 2, ['z', 'z']], 3],
  ['zdiffstore', ['zd', 2, 'z', 'zi'], 0],
  ['zunion', [2, ['z', 'z']], some],
  ['zremrangebyrank', ['zu', 0, 0], 1],
  ['zremrangebyscore', ['zu', 6, 6], 1],
  ['zremrangebylex', ['zu', '-', '+'], 1],
  ['zrem', ['z', 'c'], 1],
  ['zpopmin', ['z'], ['b', 2]],
  ['zpopmax', ['z'], ['a', 2.5]],
  [
    'geoadd',
    ['g', { longitude: 13.4, latitude: 52.5, member: 'x' }, { longitude: 13.5, latitude: 52.5, member: 'y' }],
    2,
  ],
  ['geodist', ['g', 'x', 'y', 'KM'], number],
  ['geohash', ['g', ['x']], [some]],
  ['geopos', ['g', ['x']], [some]],
  [
    'geosearch',
    ['g', { type: 'FROMMEMBER', member: 'x' }, { type: 'BYRADIUS', radius: 1, radiusType: 'KM' }, 'ASC'],
    [{ member: 'x' }],
  ],
  [
    'geosearchstore',
    ['g2', 'g', { type: 'FROMMEMBER', member: 'x' }, { type: 'BYRADIUS', radius: 1, radiusType: 'KM' }, 'ASC'],
    1,
  ],
  ['pfadd', ['p', 'a', 'b'], 1],
  ['pfcount', ['p'], 2],
  ['pfmerge', ['p2', 'p'], 'OK'],
  ['xadd', ['x', '1-1', { f: 'v' }], '1-1'],
  ['xadd', ['x', '2-1', { f: 'w' }], '2-1'],
  ['xlen', ['x'], 2],
  ['xrange', ['x', '-', '+'], { '1-1': { f: 'v' }, '2-1': { f: 'w' } }],
  ['xrevrange', ['x', '+', '-', 1], { '2-1': { f: 'w' } }],
  ['xread', ['x', '1-1'], some],
  ['xgroup', ['x', { type: 'CREATE', group: 'g', id: '0' }], 'OK'],
  ['xreadgroup', ['g', 'c', 'x', '>'], some],
  ['xpending', ['x', 'g', '-', '+', 10], some],
  ['xinfo', ['x', { type: 'GROUPS' }], some],
  ['xclaim', ['x', 'g', 'd', 0, '1-1'], some],
  ['xautoclaim', ['x', 'g', 'd', 0, '0-0'], some],
  ['xack', ['x', 'g', '1-1'], 1],
  ['xtrim', ['x', { strategy: 'MAXLEN', exactness: '~', threshold: 1 }], 1],
  ['xdel', ['x', '2-1'], 1],
  ['publish', ['channel', 'message'], 0],
  ['ping', [], 'PONG'],
  ['echo', ['hi'], 'hi'],
  ['time', [], [number, number]],
  ['dbsize', [], number],
  ['keys', ['s*'], some],
  ['scan', [0, { withType: true, count: 1000, match: 's' }], ['0', [{ key: 's', type: 'string' }]]],
  ['eval', ['return ARGV[1]', [], ['x']], 'x'],
  ['evalRo', ['return ARGV[1]', [], ['x']], 'x'],
  ['scriptLoad', ['return 7'], sha],
  ['evalsha', [sha, [], []], 7],
  ['evalshaRo', [sha, [], []], 7],
  ['scriptExists', [sha], [1]],
  ['scriptFlush', [], 'OK'],
  ['hsetex', ['hx', { expiration: { ex: 100 } }, { f: 1 }], 1],
  ['hgetex', ['hx', { ex: 100 }, 'f'], some],
  ['hgetdel', ['hx', 'f'], some],
  ['flushdb', [], 'OK'],
  ['flushall', [], 'OK'],
]
const names = ['redis7', 'redis8', 'valkey'] as const
type Name = (typeof names)[number]
const ran: { [N in Name]?: { readonly version: string; readonly has: Set<string>; readonly ok: Set<string> } } = {}

for (const name of names) {
  describe(`the methods of the official client before ${name}`, { timeout: 60_000 }, () => {
    it('answer as they are documented, where the server has the command', async () => {
      const server = await startServer(name)
      const gateway = await startGateway({ redis: server.url })
      const redis = new Redis({ url: gateway.url, token: gateway.token, enableTelemetry: false, retry: { retries: 0 } })
      const has = new Set((await commandsOf(server.url)).map((command) => command.name.replace('|', ' ')))
      for (const [method, args, expected] of cases) {
        const call = (redis as unknown as Record<string, (...args: readonly unknown[]) => Promise<unknown>>)[method]
        const given = await call?.call(redis, ...args).catch((error: unknown) => String(error))
        // For some methods the client parses the error as if it were a reply, which throws a TypeError.
        const absent = !has.has(method.toUpperCase()) && /unknown command|TypeError/.test(String(given))
        expect([method, args, absent ? 'absent' : given]).toEqual([method, args, absent ? 'absent' : expected])
      }
      const metrics = await fetch(`${gateway.url}/metrics`, { headers: { authorization: `Bearer ${gateway.token}` } })
      const ok = new Set(
        [...(await metrics.text()).matchAll(/^hither_gateway_commands_total\{command="(.+)",outcome="ok"\}/gm)].map(
          ([, command]) => String(command),
        ),
      )
      const info = await ask(server.port, 'INFO server')
      const version = /^(?:valkey_version|redis_version):(\d+\.\d+)(?![^]*valkey_version)/m.exec(info)?.[1] ?? ''
      ran[name] = { version, has, ok }
      await gateway.stop()
      await server.stop()
    })
  })
}

describe('docs/gateway-commands.md', () => {
  it('says what ran', async () => {
    const path = new URL('../../docs/gateway-commands.md', import.meta.url)
    const text = page()
    const headOf = (page: string): string | undefined => /^\| command .*$/m.exec(page)?.[0]
    if (existsSync(path) && headOf(readFileSync(path, 'utf8')) !== headOf(text)) {
      return console.log('docs/gateway-commands.md is of other versions than the servers here: not compared')
    }
    await expect(text).toMatchFileSnapshot(fileURLToPath(path))
  })
})

const grants = (['read-only', 'full', 'admin'] as const).map((role) => ({
  role,
  grant: createGrants([{ token: 't', role }])('t'),
}))

/** Returns the lowest role that may use a command, as the gateway itself decides. */
function accessOf(command: KnownCommand): string | undefined {
  if (command.kind === 'script') return 'read-only as `_RO`'
  const least = grants.find(({ grant }) => grant?.refusal(command, [command.name]) === undefined)
  if (!least) return undefined
  return command.kind === 'listen' || command.name === 'MONITOR' ? `a stream, ${least.role}` : least.role
}

function page(): string {
  const head = names.map((name) => `${name === 'valkey' ? 'Valkey' : 'Redis'} ${ran[name]?.version}`)
  const rows: string[] = []
  const refused = new Map<string, string[]>()
  for (const command of knownCommands) {
    const { name, kind } = command
    const needs = accessOf(command)
    if (!needs) {
      refused.set(kind, [...(refused.get(kind) ?? []), name])
      continue
    }
    const cells = names.map((server) => {
      const { has, ok } = ran[server] ?? { has: new Set(), ok: new Set() }
      return ok.has(name) ? 'ran' : has.has(name) ? 'passes' : '–'
    })
    rows.push(`| ${name} | ${needs} | ${cells.join(' | ')} |`)
  }
  rows.sort()
  return `# Commands of the gateway

Every command that passes, the role it needs, and what became of it: *ran* means that \`@upstash/redis\`, unmodified, ran it
over the gateway before that server; *passes*, that the server has it and the gateway lets it through; –, that the server does
not have it (JSON needs a module or a larger build). Written by \`test/wire/gateway-families.test.ts\`: run it with \`-u\`.

| command | role | ${head.join(' | ')} |
|---|---|---|---|---|
${rows.join('\n')}

## Refused

${[...refused].map(([kind, list]) => `- **${kind}**: ${list.sort().join(', ')}`).join('\n')}
`
}
