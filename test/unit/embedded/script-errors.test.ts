import { embeddedStore } from 'hither/embedded'
import { lua } from 'hither/lua'
import { expect, it } from 'vitest'
import { ReplyError } from '../../../src/store/transport.ts'

/** Scripts, and the error with which a Redis 8 ends them, without the digest of the script. */
const ENDS: readonly (readonly [script: string, error: string])[] = [
  ["\n\nerror({err='MY error'})", 'MY error script: …, on @user_script:3.'],
  [
    "\nlocal e = redis.pcall('GET')\nerror(e)",
    'ERR Wrong number of args calling Redis command from script script: …, on @user_script:3.',
  ],
  ["error(redis.error_reply('Not found: a'))", 'Not found: a script: …, on @user_script:1.'],
  ['\nerror({1})', 'ERR unknown error script: …, on @user_script:2.'],
  ['error()', 'ERR nil script: …, on @user_script:1.'],
  ["\nerror('text')", 'ERR user_script:2: text script: …, on @user_script:2.'],
  ["\nerror('text', 0)", 'ERR text script: …, on @user_script:2.'],
  ["\nlocal function f()\n error('text', 2)\nend\nf()", 'ERR user_script:5: text script: …, on @user_script:3.'],
  [
    "pcall(error, {err='OLD one'})\nlocal nothing\nreturn nothing.x",
    "ERR user_script:3: attempt to index local 'nothing' (a nil value) script: …, on @user_script:3.",
  ],
  ["return redis.error_reply('not Found')", 'not Found'],
  ["return redis.error_reply('-MY error')", 'MY error'],
  ["return redis.error_reply('one')", 'ERR one'],
  ['return redis.error_reply(5)', 'ERR wrong number or type of arguments'],
  ["local ok, e = pcall(error, {err='MY error'}) return redis.error_reply(type(e) .. ' ' .. e)", 'string MY error'],
  [
    'return redis.call()',
    'ERR Please specify at least one argument for this redis lib call script: …, on @user_script:1.',
  ],
  ['#!js\nreturn 1', 'ERR Unexpected engine in script shebang: #!js'],
]

it.each(ENDS)('%j ends as on a Redis 8', async (script, error) => {
  const store = embeddedStore({ lua })
  const reply = await store.transport.send({ args: ['EVAL', script, 0], effect: 'once' })
  expect(reply).toBeInstanceOf(ReplyError)
  expect((reply as ReplyError).message.replace(/[0-9a-f]{40}/, '…')).toBe(error)
  await store.close()
})

/** Scripts, and what a Redis 8 replies. */
const REPLIES: readonly (readonly [script: string, reply: unknown])[] = [
  ['return string.gsub("hello", "l", "L")', 'heLLo'],
  ['return unpack({1, 2})', 1],
  ['return pcall(redis.call, "nosuch")', null],
  ['return nil, 1 -- the last line', null],
  ['return string.format("%d", 1700000000123)', '1700000000123'],
  ['return ("%d"):format(1700000000123)', '1700000000123'],
  ['local text = "%d" .. ("%d"):format(1700000000123) return text', '%d1700000000123'],
  ["return tostring('%d'):format(5)", '5'],
  ['return -- in milliseconds\n("%d"):format(1700000000123)', '1700000000123'],
  ["return (tostring)('%d'):format(5)", '5'],
  [`return "tostring('%d'):format(5)" -- ('%d'):format(5)`, "tostring('%d'):format(5)"],
  [
    'local f = string.format return f("%d %i %u %s %%", -1700000000123.9, 2^33, 2^33, "x")',
    '-1700000000123 8589934592 8589934592 x %',
  ],
  [
    'return string.format("%015d|%-15d|%+d", 1700000000123, 1700000000123, 1700000000123)',
    '001700000000123|1700000000123  |+1700000000123',
  ],
  ['return string.format("%d %5d|%-5d|%05d", 3.99, -3.99, 3, 4)', '3    -3|3    |00004'],
  ['return string.format("%d %d", 1/0, -2^63)', '-9223372036854775808 -9223372036854775808'],
  [
    'return string.format("%016x|%-14x|%X|%x", 2^40, 2^36 + 10, 255.5, -1)',
    '0000010000000000|100000000a    |FF|ffffffffffffffff',
  ],
  ['return string.format("%d", "1700000000123")', '1700000000123'],
  ['return tostring(tonumber("ffffffffff", 16))', '1099511627775'],
  ['return tostring(tonumber("0xffffffffff", 16))', '1099511627775'],
  ['return {tonumber("ffffffff", 16), tonumber("z", 36), tonumber("12")}', [4294967295, 35, 12]],
]

it.each(REPLIES)('%j replies as on a Redis 8', async (script, reply) => {
  const store = embeddedStore({ lua })
  expect(await store.transport.send({ args: ['EVAL', script, 0], effect: 'once' })).toEqual(reply)
  await store.close()
})

it('a function of a library replies with its first value, and formats numbers of 64 bits', async () => {
  const store = embeddedStore({ lua })
  const send = (...args: (string | number)[]) => store.transport.send({ args, effect: 'once' })
  const code = "return string.format('%d', 1700000000123), 2"
  await send('FUNCTION', 'LOAD', `#!lua name=lib\nredis.register_function('f', function() ${code} end)`)
  expect(await send('FCALL', 'f', 0)).toBe('1700000000123')
  await store.close()
})

it('a handler of xpcall is given the table, and a function of a library ends as a script does', async () => {
  const store = embeddedStore({ lua })
  const send = (...args: (string | number)[]) => store.transport.send({ args, effect: 'once' })
  const handled = "local _, e = xpcall(function() error({err='MY error'}) end, function(e) return type(e) end) return e"
  expect(await send('EVAL', handled, 0)).toBe('table')
  await send(
    'FUNCTION',
    'LOAD',
    "#!lua name=lib\nredis.register_function('f', function()\n error({err='MY error'}) end)",
  )
  expect(await send('FCALL', 'f', 0)).toEqual(new ReplyError('MY error script: f, on @user_function:3.'))
  await store.close()
})

it('a script says that the user may not run a command', async () => {
  const store = embeddedStore({ lua })
  const send = (...args: (string | number)[]) => store.transport.send({ args, effect: 'once' })
  const script = "return redis.pcall('SET', 'theirs', '1')"
  await send('ACL', 'SETUSER', 'default', 'resetkeys', '~mine*')
  expect(await send('EVAL', script, 0)).toEqual(
    new ReplyError('ERR ACL failure in script: No permissions to access a key'),
  )
  await store.close()
})

/** Numbers in Lua, and what a Redis 8 stores for them. */
const NUMBERS: readonly (readonly [number: string, stored: string])[] = [
  ['1700000000000000 + 1', '1700000000000001'],
  ["tonumber('1700000000000001')", '1700000000000001'],
  ['-2^53', '-9007199254740992'],
  ['2^60', '1152921504606846976'],
  ['1e14', '100000000000000'],
  ['100000000000001', '100000000000001'],
  ['0.1 + 0.2', '0.30000000000000004'],
  ['10 / 4', '2.5'],
  ['0 * -1', '0'],
  ['1 / 0', 'inf'],
  ['1e300', '1e+300'],
  ["redis.call('INCRBY', KEYS[1], '1700000000000000')", '1700000000000000'],
  ["redis.call(string.reverse('YBRCNI'), KEYS[1], '1700000000000000')", '1700000000000000'],
  ["redis.call('BITFIELD', KEYS[1], 'INCRBY', 'u60', '0', '1700000000000000')[1]", '1700000000000000'],
  ["redis.call('BITFIELD', KEYS[1], 'SET', 'u60', '0', '1700000000000000', 'GET', 'u60', '0')[2]", '1700000000000000'],
  ["(function() return redis.call('INCRBY', KEYS[1], '1700000000000000') end)()", '1700000000000000'],
  ["(function() return redis.call(string.reverse('YBRCNI'), KEYS[1], '1700000000000000') end)()", '1700000000000000'],
  ["(function() --[[ in microseconds ]] return KEYS[1] and '1700000000000001' * 1 end)()", '1700000000000001'],
  [
    "(function() local r = redis return r.call(string.reverse('YBRCNI'), KEYS[1], '1700000000000000') end)()",
    '1700000000000000',
  ],
  [`loadstring("return redis.call('INCRBY', 'key', '1700000000000000')")()`, '1700000000000000'],
]

it.each(NUMBERS)('a script that passes %s to a command stores %s, as on a Redis 8', async (number, stored) => {
  const store = embeddedStore({ lua })
  const run = (script: string) => store.transport.send({ args: ['EVAL', script, 1, 'key'], effect: 'once' })
  const script = `redis.call('DEL', KEYS[1]) local n = ${number} redis.call('SET', KEYS[1], n) return redis.call('GET', KEYS[1])`
  expect([await run(script), await run(script.replace("call('SET", "pcall('SET"))]).toEqual([stored, stored])
  await store.close()
})

it('an error of a command is the same in a script that counts', async () => {
  const store = embeddedStore({ lua })
  const run = async (script: string) => {
    const reply = await store.transport.send({ args: ['EVAL', script, 1, 'key'], effect: 'once' })
    return reply instanceof ReplyError ? reply.message.replace(/[0-9a-f]{40}/, '…') : reply
  }
  const wrong = 'ERR Wrong number of args calling Redis command from script'
  expect(await run("local n = 1 + 1\n\nredis.call('SET', KEYS[1])\nreturn n")).toBe(
    `${wrong} script: …, on @user_script:3.`,
  )
  expect(await run("local n = 1 + 1 -- it's\n\nreturn redis.call('SET', KEYS[1])")).toBe(
    `${wrong} script: …, on @user_script:3.`,
  )
  const text = "'return redis.call(1)' .. [[return redis.call(2)]]"
  expect(await run(`local n = 1 + 1 return ${text}`)).toBe('return redis.call(1)return redis.call(2)')
  const kinds =
    "local n = 1 + 1 local _, e = xpcall(function() redis.call('GET') end, function(e) return type(e) .. ' ' .. e.err end)"
  expect(await run(`${kinds} return e`)).toBe(`table ${wrong}`)
  expect(await run("local n = 1 + 1 return redis.pcall('GET').err")).toBe(wrong)
  expect(await run('local n = 1 + 1\nredis.call({})')).toBe(
    'ERR Lua redis lib command arguments must be strings or integers script: …, on @user_script:2.',
  )
  expect(await run('local n = 1 + 1 redis.call = nil')).toContain('Attempt to modify a readonly table')
  await store.close()
})
