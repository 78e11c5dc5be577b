import { describe, expect, it } from 'vitest'
import { luaFaults } from './lua.ts'
import { type Files, isNode, type Node, parse, place, readFiles, walk } from './source.ts'

/** The text of a literal or template. `${name}` is replaced by the text of that constant, or else by the name itself. */
function textOf(
  node: unknown,
  constants: ReadonlyMap<string, Node>,
  trail: readonly string[] = [],
): string | undefined {
  if (!isNode(node)) return undefined
  if (node.type === 'Literal' && typeof node.value === 'string') return node.value
  if (node.type === 'Identifier') {
    const name = String(node.name)
    return trail.includes(name) ? undefined : textOf(constants.get(name), constants, [...trail, name])
  }
  if (node.type !== 'TemplateLiteral') return undefined
  const parts = node.expressions as readonly Node[]
  return (node.quasis as readonly Node[])
    .map(({ value }, i) => {
      const part = parts[i]
      const text = part && (textOf(part, constants, trail) ?? (part.type === 'Identifier' ? String(part.name) : '0'))
      return ((value as { cooked: string | null }).cooked ?? '') + (text ?? '')
    })
    .join('')
}

/**
 * Every script by its place: each `lua` of an object, and any other text that calls `redis.call`. A text that is wholly
 * contained in a longer script is checked there: alone it lacks the locals that its operands come from.
 */
function scriptsOf(files: Files): Map<string, string> {
  const modules = parse(files)
  const constants = new Map<string, Node>()
  for (const { tree } of modules) {
    walk(tree, (node) => {
      const { id, init } = node as { id?: unknown; init?: unknown }
      if (node.type === 'VariableDeclarator' && isNode(id) && isNode(init)) constants.set(String(id.name), init)
    })
  }
  const found = new Map<string, string>()
  for (const { path, tree } of modules) {
    walk(tree, (node) => {
      const named = node.type === 'Property' && isNode(node.key) && node.key.name === 'lua'
      const text = textOf(named ? node.value : node.type === 'Identifier' ? undefined : node, constants)
      if (text !== undefined && (named || text.includes('redis.call'))) found.set(place(files, path, node), text)
      else if (named && !isComputed(node.value)) found.set(place(files, path, node), '')
    })
  }
  const isPart = (text: string): boolean =>
    text !== '' && [...found.values()].some((whole) => whole.length > text.length && whole.includes(text))
  return new Map([...found].filter(([, text]) => !isPart(text)))
}

/** Whether a `lua` is only passed on, such as `lua: operation.lua`. It is checked where it is written. */
const isComputed = (value: unknown): boolean => isNode(value) && value.type === 'MemberExpression'

const files = readFiles('src/**/*.ts', 'adapters/**/*.ts')

describe('the Lua of operations', () => {
  it('uses no cjson, no tostring and no .. on numbers', () => {
    const scripts = scriptsOf(files)
    expect(scripts.size).toBeGreaterThan(3)
    const faults = [...scripts].flatMap(([where, script]) =>
      (script === '' ? ['a script this check cannot read'] : luaFaults(script)).map((fault) => `${where} ${fault}`),
    )
    expect(faults).toEqual([])
  })
  it('is found wherever it is written', () => {
    const source = [
      "const part = 'local x = tostring(1)'",
      'export const a = { lua: `$' + "{part} return x` }; const b = `redis.call('GET', KEYS[1])`",
      'const c = { lua: make() }; const d = { ...a, lua: a.lua }',
    ]
    expect([...scriptsOf({ 'src/a.ts': source.join('\n') })]).toEqual([
      ['src/a.ts:2', "redis.call('GET', KEYS[1])"],
      ['src/a.ts:3', ''],
    ])
    expect([...scriptsOf({ 'src/a.ts': source.slice(0, 2).join('\n').split(';')[0] as string }).values()]).toEqual([
      'local x = tostring(1) return x',
    ])
  })
  it('is looked at as a whole where it is written in parts', () => {
    const source = [
      "const HEAD = 'local a, b = ARGV[1], #ARGV[1] '",
      "const GOOD = `redis.call('SET', KEYS[1], a .. a) `",
      "const BAD = `redis.call('SET', KEYS[1], a .. b) `",
      'export const good = { lua: `$' + '{HEAD}$' + '{GOOD}` }',
      'export const bad = { lua: `$' + '{HEAD}$' + '{BAD}` }',
      "const alone = `redis.call('SET', KEYS[1], a .. c)`",
    ]
    const scripts = [...scriptsOf({ 'src/a.ts': source.join('\n') })]
    const faults = scripts.map(([where, script]) => [where, luaFaults(script)] as const)
    expect(faults.map(([where, { length }]) => `${where} ${length}`)).toEqual([
      'src/a.ts:4 0',
      'src/a.ts:5 1',
      'src/a.ts:6 2',
    ])
  })
  it.each([
    'return cjson.encode({})',
    'return tostring(1)',
    "return 'a' .. 1",
    "return ARGV[1] + 1 .. 'a'",
    "return 'a' .. tonumber(ARGV[1])",
    "return 'a' .. #KEYS[1]",
    "local n = now()\nreturn n .. ':' .. ARGV[1]",
    "local n = ARGV[1]\nn = n + 1\nreturn 'a' .. n\nend",
    "local a, b = ARGV[1], 5 return 'a' .. b",
    "local n = redis.call('INCR', KEYS[1]) return n .. ''",
    "for i = 1, 3 do redis.call('SET', KEYS[1] .. i, '') end",
    "for _, v in ipairs(t) do x = 'a' .. v end",
    "local function f(n) return 'a' .. n end return f(now())",
    "local function f() if x then return '' end return 5 end return 'a' .. f()",
    "return 'a' .. string.len(ARGV[1])",
    "local t = {1, 2} return 'a' .. t[1]",
    "return 'a' .. ('x'):len()",
    "return 'a' .. (ARGV[1] + 1)",
    "local t = {'x'} t[2] = 5 return 'a' .. t[2]",
    "local t = {} t[1] = ARGV[1] + 1 return 'a' .. t[1]",
    "local t = {} t[1] = 5 local function text() return table.concat(t) end return 'a' .. text()",
    "local t = { x = 5 } return 'a' .. t['x']",
    "local t, n = {} n, t[1] = 1, 2 return 'a' .. t[1]",
    "local t, n = {} t[1], n = 1, 2 return 'a' .. t[1]",
  ])('is refused: %s', (script) => {
    expect(luaFaults(script).length).toBeGreaterThan(0)
  })
  it.each([
    "return ARGV[1] .. '|' .. ARGV[2]",
    "return string.format('%.0f', now()) .. ':' .. KEYS[1]",
    "local head = redis.call('GETRANGE', KEYS[1], 0, 9)\nlocal a, b = head:sub(1, 4), head:sub(5)\nreturn a .. b",
    "local function pad(text) return string.rep('0', 9 - #text) .. text end\nreturn pad(ARGV[1]) .. pad('x')",
    "local v = ARGV[1] == '' and ARGV[2] or 'x'\nif v then v = v .. 'y' end\nreturn v",
    "local got = redis.call('HMGET', KEYS[1], 'a', 'b')\nreturn got[1] .. got[2]",
    "-- cjson and tostring, 1 .. 2\nreturn 'tostring cjson 1 .. 2'",
    "local none, a = ('-'):rep(16), 'b' local function at(n) return n == '0' and ('9'):rep(2) or 'x' end return none .. at(5):rep(2) .. a",
    'local id = (redis.call("GET", KEYS[1]) or "") .. "x" return id',
    "local t = { [0] = '0' } local function text(n) local s = t[n] or ('%.0f'):format(n) t[n] = s return s end return text(1) .. 'x'",
    "local t = {} t[1] = ARGV[1] t[2] = 'x' return 'a' .. table.concat(t, ' ')",
  ])('is allowed: %s', (script) => {
    expect(luaFaults(script)).toEqual([])
  })
})
