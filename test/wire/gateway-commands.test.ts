import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type StartedGateway, startGateway } from '../../adapters/node/index.ts'
import { tcpTransport } from '../../adapters/tcp/index.ts'
import { commandsOf, type ServerCommand, tableOf } from '../../scripts/commands.ts'
import { COMMAND_TABLE } from '../../src/gateway/command-table.ts'
import { commandNamed, commandOf, keyPlaces } from '../../src/gateway/commands.ts'
import type { GatewayToken } from '../../src/gateway/index.ts'

// Compares the gateway's table with the COMMAND of the servers: which commands exist, which keys they use, who may run them.

const variables = ['REDIS7_URL', 'REDIS8_URL', 'VALKEY_URL'] as const
const urlOf = (variable: string): string => process.env[variable] ?? ''

describe('the table of commands', { timeout: 30_000 }, () => {
  let lists: ServerCommand[][] = []
  beforeAll(async () => {
    lists = await Promise.all(variables.map((variable) => commandsOf(urlOf(variable))))
  })

  it('has a kind for every command of every server, and no read that writes', () => {
    for (const list of lists) {
      expect(list.length).toBeGreaterThan(240)
      for (const { name, flags } of list) {
        const known = commandNamed(name.replace('|', ' ')) ?? commandNamed(name.split('|')[0] as string)
        expect([name, known?.kind]).toEqual([name, expect.any(String)])
        if (known?.kind === 'read') expect([name, flags.includes('write')]).toEqual([name, false])
        if (/^(BL|BR|BZ|WAIT)/.test(name)) expect([name, known?.kind]).toEqual([name, 'waiting'])
        if (flags.includes('admin'))
          expect([name, known?.kind]).toEqual([name, expect.stringMatching(/^(adm|serv|host|conn)/)])
      }
    }
  })

  it('is what the script writes: node scripts/commands.ts', () => {
    expect(tableOf(lists)).toEqual(COMMAND_TABLE.trim().split('\n'))
  })

  it('finds the keys that the server finds', async () => {
    const transport = tcpTransport({ url: urlOf('REDIS8_URL') })
    for (const line of [
      'GET a',
      'MSET a 1 b 2',
      'DEL a b c',
      'EVAL x 2 a b c',
      'EVALSHA x 0 c',
      'ZUNIONSTORE d 2 a b WEIGHTS 1 2',
      'ZUNION 2 a b',
      'SINTERCARD 2 a b LIMIT 1',
      'LMPOP 2 a b LEFT',
      'XREAD COUNT 1 STREAMS a b 0 0',
      'XREADGROUP GROUP g c STREAMS a b > >',
      'BITOP AND d a b',
      'GEORADIUS a 0 0 1 m STORE b',
      'COPY a b REPLACE',
      'XINFO STREAM a',
      'XGROUP CREATE a g 0',
      'SMOVE a b m',
      'PFMERGE d a b',
      'RENAME a b',
      'LMOVE a b LEFT LEFT',
      'SORT_RO a',
      'GEOSEARCHSTORE d a FROMLONLAT 0 0 BYRADIUS 1 m',
      'ZRANGESTORE d a 0 1',
      'HSET a f v',
    ]) {
      const args = line.split(' ')
      const command = commandOf(args)
      if (!command || command.kind === 'unsupported') continue
      const reply = await transport.send({ args: ['COMMAND', 'GETKEYS', ...args], effect: 'read' })
      const theirs = Array.isArray(reply) ? reply : []
      expect([line, keyPlaces(command, args)?.map((at) => args[at])]).toEqual([line, theirs])
    }
    await transport.close()
    // Malformed commands have no keys at all, rather than some.
    for (const line of ['ZUNION x a', 'EVAL x -1 a', 'EVAL x 5 a', 'EVAL x 1e9 a', 'MSET', 'LMPOP']) {
      const args = line.split(' ')
      const places = keyPlaces(commandOf(args) as never, args)
      expect([line, places ?? []]).toEqual([line, []])
    }
  })
})

const tokens: readonly GatewayToken[] = [
  { token: 'reader', role: 'read-only' },
  { token: 'writer' },
  { token: 'keeper', role: 'admin' },
  { token: 'tallier', commands: ['get', 'INCR', 'SUBSCRIBE'] },
  { token: 'tenant', keyPrefixes: ['gr:t1:', 'gr:shared:'] },
  { token: 'guest', role: 'read-only', keyPrefixes: ['gr:t1:'], commands: ['GET'] },
  { token: 'glob', keyPrefixes: ['gr:[x]:'] },
  { token: 'watcher', role: 'read-only', scripts: false },
  { token: 'plainly', role: 'admin', scripts: false },
]

for (const variable of variables) {
  describe(`tokens before ${variable}`, { timeout: 30_000 }, () => {
    let gateway: StartedGateway
    beforeAll(async () => {
      gateway = await startGateway({ redis: urlOf(variable), tokens })
      await run('writer', 'MSET', 'gr:a', '1', 'gr:t1:a', '2', 'gr:shared:a', '3')
    })
    afterAll(() => gateway.stop())

    const post = async (token: string, path: string, body: unknown): Promise<unknown> => {
      const headers = { authorization: `Bearer ${token}` }
      const response = await fetch(gateway.url + path, { method: 'POST', headers, body: JSON.stringify(body) })
      return response.json()
    }
    const run = async (token: string, ...args: unknown[]): Promise<unknown> => {
      const { result, error } = (await post(token, '/', args)) as { result?: unknown; error?: string }
      return error === undefined ? result : `error: ${error}`
    }
    const refused = (name: string): string => `error: NOPERM this token has no permissions to run the '${name}' command`
    const outside = 'error: NOPERM this token has no permissions to access one of the keys used as arguments'

    it('that only read write nothing, in scripts as well', async () => {
      expect(await run('reader', 'GET', 'gr:a')).toBe('1')
      for (const [name, ...rest] of [
        ['set', 'gr:a', 'x'],
        ['del', 'gr:a'],
        ['incr', 'gr:a'],
        ['getdel', 'gr:a'],
        ['publish', 'c', 'x'],
        ['scan', 0],
        ['keys', '*'],
        ['randomkey'],
        ['flushall'],
        ['script load', 'return 1'],
        ['expire', 'gr:a', 1],
      ] as const) {
        expect(await run('reader', ...String(name).split(' '), ...rest)).toBe(refused(name))
      }
      expect(await run('reader', 'EVAL', "return redis.call('GET', KEYS[1])", 1, 'gr:a')).toBe('1')
      const writes = [
        "redis.call('SET', KEYS[1], 'x')",
        "redis.call('DEL', KEYS[1])",
        "redis.call('PUBLISH', 'c', 'x')",
      ]
      for (const lua of [...writes, `#!lua flags=allow-key-locking\n${writes[0]}`]) {
        expect(await run('reader', 'EVAL', lua, 1, 'gr:a')).toMatch(
          /^error: (ERR|NOPERM|READONLY) .*(read-only|not allowed)/i,
        )
        expect(await run('reader', 'eval_ro', lua, 1, 'gr:a')).toMatch(/^error: /)
        const sha = await run('writer', 'SCRIPT', 'LOAD', lua)
        expect(await run('reader', 'EVALSHA', sha, 1, 'gr:a')).toMatch(/^error: /)
      }
      for (const name of ['eval', 'eval_ro', 'evalsha', 'evalsha_ro', 'fcall', 'fcall_ro']) {
        expect(await run('watcher', name, 'return 1', 0)).toBe(refused(name))
      }
      expect(await run('watcher', 'GET', 'gr:a')).toBe('1')
      for (const [token, ...args] of [
        ['plainly', 'SCRIPT', 'LOAD', 'return 1'],
        ['plainly', 'SCRIPT', 'FLUSH'],
        ['plainly', 'SCRIPT', 'EXISTS', 'x'],
        ['plainly', 'FUNCTION', 'LOAD', 'x'],
        ['plainly', 'FUNCTION', 'FLUSH'],
      ] as const) {
        expect(await run(token, ...args)).toBe(refused(args.slice(0, 2).join(' ').toLowerCase()))
      }
      for (const path of ['/pipeline', '/multi-exec']) {
        expect(
          JSON.stringify(
            await post('reader', path, [
              ['GET', 'gr:a'],
              ['SET', 'gr:a', 'x'],
            ]),
          ),
        ).toContain('NOPERM')
      }
      expect(await run('reader', 'GET', 'gr:a')).toBe('1')
    })

    it('administer only where they may', async () => {
      for (const args of [
        ['KEYS', 'gr:*'],
        ['CLIENT', 'LIST'],
        ['FUNCTION', 'LIST'],
        ['SLOWLOG', 'LEN'],
        ['MEMORY', 'USAGE', 'gr:a'],
      ]) {
        expect(await run('writer', ...args)).toMatch(/^error: NOPERM/)
        expect(String(await run('keeper', ...args))).not.toMatch(/^error/)
      }
      for (const args of [
        ['CONFIG', 'GET', '*'],
        ['ACL', 'LIST'],
        ['REPLICAOF', 'NO', 'ONE'],
        ['MODULE', 'LIST'],
        ['DEBUG', 'SLEEP', 0],
      ]) {
        expect(await run('keeper', ...args)).toMatch(/^error: ERR Command is not available/)
      }
    })

    it('use the commands they are given, and no other', async () => {
      expect(await run('tallier', 'GET', 'gr:a')).toBe('1')
      expect(await run('tallier', 'SET', 'gr:a', 'x')).toBe(refused('set'))
      expect(await run('tallier', 'EVAL', 'return 1', 0)).toBe(refused('eval'))
      expect(await run('tallier', 'MGET', 'gr:a')).toBe(refused('mget'))
      expect(await post('tallier', '/psubscribe/x*', [])).toEqual({ error: expect.stringContaining('NOPERM') })
    })

    it('stay within their prefixes', async () => {
      expect(await run('tenant', 'MGET', 'gr:t1:a', 'gr:shared:a')).toEqual(['2', '3'])
      expect(await run('tenant', 'SET', 'gr:t1:b', 'x')).toBe('OK')
      expect(await run('tenant', 'PING')).toBe('PONG')
      for (const args of [
        ['GET', 'gr:a'],
        ['MGET', 'gr:t1:a', 'gr:a'],
        ['DEL', 'gr:t1:a', 'gr:a'],
        ['RENAME', 'gr:t1:a', 'gr:a'],
        ['COPY', 'gr:a', 'gr:t1:c'],
        ['COPY', 'gr:a', 'gr:a'],
        ['ZUNIONSTORE', 'gr:t1:z', 1, 'gr:a'],
        ['PUBLISH', 'gr:a', 'x'],
        ['GEORADIUS', 'gr:t1:g', 0, 0, 1, 'm', 'STORE', 'gr:t1:x', 'STORE', 'gr:a'],
        ['SINTERCARD', 'x', 'gr:a'],
        ['XREAD', 'STREAMS', 'gr:t1:x', 'gr:a', 0, 0],
        ['GET'],
        ['MGET'],
        ['LMPOP', '2', 'gr:t1:l', 'LEFT'],
      ]) {
        expect([args, await run('tenant', ...args)]).toEqual([args, outside])
      }
      for (const args of [
        ['EVAL', 'return 1', 0],
        ['SCAN', 0],
        ['DBSIZE'],
        ['RANDOMKEY'],
        ['INFO'],
        ['PUBSUB', 'CHANNELS'],
      ]) {
        expect([args, await run('tenant', ...args)]).toEqual([
          args,
          expect.stringMatching(/^error: NOPERM .* command$/),
        ])
      }
      for (const path of [
        ...[
          '/subscribe/gr:a',
          '/subscribe/gr:t1:a/gr:a',
          '/psubscribe/*',
          '/psubscribe/gr:t1*',
          '/psubscribe/gr:t%3F:a',
        ],
        ...['/psubscribe/gr:%5Bt%5D1:a', '/psubscribe/gr:t1%5C'],
      ]) {
        expect([path, await post('tenant', path, [])]).toEqual([path, { error: outside.slice(7) }])
      }
      // As a pattern, the channel would match gr:x:a, which does not begin with the token's prefix.
      expect(await post('glob', '/psubscribe/gr:%5Bx%5D:*', [])).toEqual({ error: outside.slice(7) })
      for (const [token, path, channel] of [
        ['tenant', '/subscribe/gr:t1:a', 'gr:t1:a'],
        ['tenant', '/psubscribe/gr:t1:*', 'gr:t1:b'],
        ['tenant', '/psubscribe/gr:%5Ct1:*', 'gr:t1:c'],
        ['glob', '/psubscribe/gr:%5C%5Bx%5D:*', 'gr:[x]:a'],
      ] as const) {
        const stream = await fetch(gateway.url + path, { headers: { authorization: `Bearer ${token}` } })
        expect([path, stream.status]).toEqual([path, 200])
        expect([path, await run('writer', 'PUBLISH', channel, 'x')]).toEqual([path, 1])
        await stream.body?.cancel()
      }
      expect(await post('tenant', '/monitor', [])).toEqual({ error: expect.stringContaining('NOPERM') })
      expect(await run('guest', 'GET', 'gr:t1:a')).toBe('2')
      expect(await run('guest', 'GET', 'gr:shared:a')).toBe(outside)
      expect(await run('guest', 'STRLEN', 'gr:t1:a')).toBe(refused('strlen'))
    })

    it('are never shown', async () => {
      const metrics = await fetch(`${gateway.url}/metrics`, { headers: { authorization: 'Bearer keeper' } })
      const text = await metrics.text()
      expect(text).toMatch(/^hither_gateway_commands_total\{command="GET",outcome="ok"\} \d+$/m)
      for (const { token } of tokens) expect(text).not.toContain(token)
      expect(text).not.toContain('gr:')
      for (const token of ['reader', 'tallier', 'tenant']) {
        expect(await post(token, '/metrics', [])).toEqual({ error: expect.stringContaining('NOPERM') })
      }
      expect((await fetch(`${gateway.url}/metrics`)).status).toBe(401)
    })
  })
}
