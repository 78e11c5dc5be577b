import { startDev, type TestDev } from 'hither/testing/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { overSocket, type Server } from './support/servers.ts'

let dev: TestDev
let own: Server
let redis: Server
beforeAll(async () => {
  dev = await startDev()
  own = await overSocket(dev.redisUrl)
  redis = await overSocket(process.env.REDIS8_URL ?? '')
  await redis.ask([['FUNCTION', 'FLUSH'], ['FLUSHALL']])
})
afterAll(async () => {
  await redis.ask([['FUNCTION', 'FLUSH']])
  own.close()
  redis.close()
  await dev.stop()
})

const load = (code: string, ...options: string[]): string[] => ['FUNCTION', 'LOAD', ...options, code]
const register = (what: string): string[] => load(`#!lua name=other\nredis.register_function${what}`)

/** Removes the order from a reply: the functions of a library have none. */
const unordered = (reply: unknown): unknown => {
  if (Array.isArray(reply)) return reply.map((item) => JSON.stringify(unordered(item))).sort()
  if (typeof reply !== 'object' || reply === null) return reply
  return Object.entries(reply).map(([name, item]) => [name, unordered(item)])
}

const LIBRARY = `#!lua name=mylib
local function both(keys, args) return {keys, args} end
redis.register_function('both', both)
redis.register_function{function_name='put', callback=function(k, a) return redis.call('SET', k[1], a[1]) end, description='puts'}
redis.register_function{function_name='take', callback=function(k, a) return redis.call('GET', k[1]) end, flags={'no-writes'}}
-- the end`
const ERRORS = `#!lua name=errors
redis.register_function('e1', function(k, a) error('boo') end)
redis.register_function('e2', function(k, a) return redis.call('NOPE') end)
redis.register_function('e3', function(k, a) return nope end)
redis.register_function('e4', function(k, a) return redis.error_reply('X y') end)
redis.register_function('e5', function(k, a) nope = 1 end)
redis.register_function('e6', function(k, a) return redis.call('INCR', 'text') end)
redis.register_function('e7', function(k, a) return redis.pcall('INCR', 'text') end)
redis.register_function{function_name='e8', flags={'no-writes'}, callback=function(k, a) return redis.call('SET', 'a', 1) end}
return 1`

const LOADS = [
  load('return 1'),
  load('#!lua\nreturn 1'),
  load('#!js name=x\nreturn 1'),
  load('#!lua name=x\nreturn 1'),
  load('#!lua name=x y=z\nreturn 1'),
  load('#!lua name=x-y\nreturn 1'),
  load('#!lua name=x\nreturn +'),
  load('#!lua name=x\nend return 1 function()'),
  load("#!lua name=x\nredis.call('GET', 'x')"),
  load('#!lua name=x\nlocal y = nope'),
  load(LIBRARY),
  load(LIBRARY),
  load(LIBRARY, 'REPLACE'),
  load(LIBRARY, 'NOPE'),
  ['FUNCTION', 'LOAD'],
  register("('both', function() end)"),
  register("('z-z', function() end)"),
  register("('z')"),
  register("('z', 1)"),
  register('(1, function() end)'),
  register('()'),
  register("('z', function() end, 1)"),
  register("{function_name='z'}"),
  register('{callback=function() end}'),
  register('{function_name=1, callback=function() end}'),
  register("{function_name='z', callback=1}"),
  register("{function_name='z', callback=function() end, description=1}"),
  register("{function_name='z', callback=function() end, flags=1}"),
  register("{function_name='z', callback=function() end, flags={'zz'}}"),
  register("{function_name='z', callback=function() end, foo=1}"),
  register("('z', function() end) redis.register_function('z', function() end)"),
]
const CALLS = [
  load(LIBRARY, 'REPLACE'),
  load(ERRORS),
  ['SET', 'text', 'x'],
  ['FCALL', 'both', '1', 'a', 'b', 'c'],
  ['FCALL', 'both', '0'],
  ['FCALL', 'put', '1', 'a', 'b'],
  ['FCALL_RO', 'put', '1', 'a', 'b'],
  ['FCALL_RO', 'take', '1', 'a'],
  ['FCALL', 'take', '1', 'a'],
  ['FCALL', 'nope', '0'],
  ['FCALL', 'both', 'x'],
  ['FCALL', 'both', '-1'],
  ['FCALL', 'both', '3'],
  ['FCALL', 'both'],
  ...['e1', 'e2', 'e3', 'e4', 'e5', 'e6', 'e7', 'e8'].map((name) => ['FCALL', name, '0']),
  ['EVAL', "return redis.call('FCALL', 'both', 0)", '0'],
  ['FUNCTION', 'LIST', 'LIBRARYNAME', 'none*'],
  ['FUNCTION', 'LIST', 'x'],
  ['FUNCTION', 'LIST', 'LIBRARYNAME'],
  ['FUNCTION', 'STATS'],
  ['FUNCTION', 'KILL'],
  ['FUNCTION', 'DELETE', 'none'],
  ['FUNCTION', 'DELETE', 'mylib'],
  ['FCALL', 'both', '0'],
  ['FUNCTION', 'HELP'],
  ['FUNCTION', 'RESTORE'],
  ['FUNCTION', 'RESTORE', 'x'],
  ['FUNCTION', 'RESTORE', 'x', 'y'],
  ['FUNCTION', 'RESTORE', 'x', 'append', 'z'],
  ['FUNCTION', 'DUMP', 'x'],
  ['FUNCTION', 'FLUSH', 'x'],
  ['FUNCTION', 'FLUSH', 'ASYNC'],
  ['FUNCTION', 'LIST'],
]

describe('libraries of functions', () => {
  for (const [name, commands] of Object.entries({ 'are loaded': LOADS, 'are called': CALLS })) {
    it(`${name} as on a Redis 8`, async () => {
      for (const args of commands) {
        const [[mine], [its]] = await Promise.all([own.ask([args]), redis.ask([args])])
        expect([args, mine]).toEqual([args, its])
      }
    })
  }

  it('are dumped and restored as on a Redis 8, each from its payloads alone', async () => {
    const both = async (args: (server: Server) => string[]): Promise<unknown[]> => {
      const [mine, its] = await Promise.all([own, redis].map(async (server) => (await server.ask([args(server)]))[0]))
      return [mine, its]
    }
    const alike = async (args: (server: Server) => string[]): Promise<void> => {
      const [mine, its] = await both(args)
      expect([args(own).slice(0, 1), args(own).slice(3), mine]).toEqual([
        args(own).slice(0, 1),
        args(own).slice(3),
        its,
      ])
    }
    const one = (name: string, functions: string): string[] =>
      load(`#!lua name=${name}\nredis.register_function('${functions}', function() return '${name}' end)`)
    const keep = async (commands: string[][]): Promise<Map<Server, string>> => {
      for (const args of commands) await alike(() => args)
      const payloads = await both(() => ['FUNCTION', 'DUMP'])
      return new Map([own, redis].map((server, i) => [server, payloads[i] as string]))
    }
    const none = await keep([['FUNCTION', 'FLUSH']])
    const first = await keep([one('one', 'f')])
    const second = await keep([['FUNCTION', 'FLUSH'], one('two', 'f')])
    await alike(() => ['SET', 'key', 'x'])
    const dumped = await both(() => ['DUMP', 'key'])
    const values = new Map([own, redis].map((server, i) => [server, dumped[i] as string]))
    const restore =
      (payload: Map<Server, string>, ...policy: string[]) =>
      (server: Server) => ['FUNCTION', 'RESTORE', payload.get(server) as string, ...policy]
    const foreign = new Map([
      [own, first.get(redis) as string],
      [redis, first.get(own) as string],
    ])
    for (const args of [
      restore(none),
      restore(first),
      restore(second),
      restore(second, 'REPLACE'),
      restore(first, 'REPLACE'),
      restore(first, 'flush'),
      restore(values),
      restore(foreign),
      restore(first, 'append'),
      restore(second, 'append'),
      restore(none, 'FLUSH'),
      restore(second, 'Replace'),
      (server: Server) => ['RESTORE', 'other', '0', none.get(server) as string],
    ]) {
      await alike(args)
      await alike(() => ['FUNCTION', 'LIST'])
      await alike(() => ['FCALL', 'f', '0'])
    }
  })

  it('are listed with their functions, flags and code', async () => {
    for (const protocol of ['2', '3']) {
      const asked = [
        ['HELLO', protocol],
        load(LIBRARY, 'REPLACE'),
        ['FUNCTION', 'LIST', 'WITHCODE', 'LIBRARYNAME', 'my*'],
      ]
      const [[, , mine], [, , its]] = await Promise.all([own.ask(asked), redis.ask(asked)])
      expect(unordered(mine)).toEqual(unordered(its))
    }
    await Promise.all(
      [own, redis].map((one) =>
        one.ask([
          ['HELLO', '2'],
          ['FUNCTION', 'FLUSH'],
        ]),
      ),
    )
  })

  it('that loop without end are ended, by their code and by their functions', async () => {
    const [loading] = await own.ask([load('#!lua name=x\nwhile true do pcall(function() while true do end end) end')])
    expect(JSON.stringify(loading)).toContain('ran past the steps')
    const body = 'while true do _G.pcall(function() while true do end end) end'
    const replies = await own.ask([
      load(`#!lua name=x\nredis.register_function('f', function() ${body} end)`),
      ['FCALL', 'f', '0'],
      ['PING'],
    ])
    expect(JSON.stringify(replies)).toContain('ran past the steps')
    expect(JSON.stringify(replies)).toContain('PONG')
  }, 120_000)
})
