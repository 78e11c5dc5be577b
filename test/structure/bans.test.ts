import { describe, expect, it } from 'vitest'
import { type Files, isNode, type Node, parse, place, readFiles } from './source.ts'

/** Clocks, timers and random sources. In the core and in stores, only `src/runtime/` may name them. */
const ambient: Readonly<Record<string, string>> = {
  'Date.now': 'now() of src/runtime/clock.ts',
  'new Date()': 'now() of src/runtime/clock.ts',
  performance: 'src/runtime/clock.ts',
  setTimeout: 'setTimer() or sleep() of src/runtime/clock.ts',
  clearTimeout: 'the function that setTimer() returns',
  setInterval: 'setTimer() of src/runtime/clock.ts',
  clearInterval: 'the function that setTimer() returns',
  'AbortSignal.timeout': 'setTimer() of src/runtime/clock.ts',
  'Math.random': 'random() of src/runtime/random.ts',
  'crypto.getRandomValues': 'randomBytes() of src/runtime/random.ts',
  'crypto.randomUUID': 'randomId() of src/runtime/random.ts',
}
/** Names that one runtime has and another lacks or forbids. */
const foreign: Readonly<Record<string, string>> = {
  process: 'an option: there is no process on the edge',
  Buffer: 'Uint8Array, TextEncoder and TextDecoder',
  global: 'globalThis',
  __dirname: 'nothing: the core has no files',
  require: 'import',
  setImmediate: 'setTimer() of src/runtime/clock.ts',
  Deno: 'an adapter',
  Bun: 'an adapter',
  EdgeRuntime: 'an adapter',
  WebSocketPair: 'an adapter',
  navigator: 'an adapter',
  eval: 'nothing: Workers forbid it',
  'new Function()': 'nothing: Workers forbid it',
  'AbortSignal.any': 'a listener: the edge runtime lacks it',
  'Promise.withResolvers': 'createDeferred() of src/runtime/deferred.ts: Node 20 lacks it',
  'Uint8Array.fromBase64': 'atob: Node 24 lacks it',
}
/** Files of a Node client's adapter that may name a timer nonetheless, with the reason. */
const excused: Readonly<Record<string, string>> = {
  'adapters/ioredis/index.ts': "Node's own timer, which unlike Deno's global one can leave a process free to end",
}
/** Files of an adapter that may name platforms nonetheless, with the reason. */
const namesPlatforms: Readonly<Record<string, string>> = {
  'adapters/hono/address.ts': 'an application says which platform it trusts to tell addresses',
  'adapters/hono/cache-response.ts': 'the field in which one platform reads tags has its name',
  'adapters/hono/rate-limit.ts': 'it says so in its error, and checks what it is told',
}
const runtimes = /\b(cloudflare|workerd|edge-light|vercel|deno|bun)\b|\bnode:/i

/** `globalThis.Date.now` → `Date.now`; undefined for anything but a plain path of names. */
function dotted(node: Node): string | undefined {
  if (node.type === 'Identifier') return String(node.name)
  if (node.type !== 'MemberExpression' && node.type !== 'TSQualifiedName') return undefined
  const [left, right] = node.type === 'MemberExpression' ? [node.object, node.property] : [node.left, node.right]
  const first = isNode(left) ? dotted(left) : undefined
  const last = !isNode(right) ? undefined : node.computed ? right.value : right.name
  if (first === undefined || typeof last !== 'string') return undefined
  return first === 'globalThis' || first === 'self' ? last : `${first}.${last}`
}

/** Whether a name is only a label, such as a key of an object, and refers to nothing. */
const isLabel = (node: Node, parent: Node | undefined): boolean =>
  (parent?.key === node && parent.computed !== true && parent.shorthand !== true) ||
  parent?.imported === node ||
  parent?.exported === node ||
  parent?.label === node

/** One line for each use of a name in `table`, and with `texts` also for each string that names a runtime. */
function uses(files: Files, table: Readonly<Record<string, string>>, texts = false): string[] {
  const found: string[] = []
  for (const { path, tree } of parse(files)) {
    const say = (node: Node, what: string): unknown => found.push(`${place(files, path, node)} ${what}`)
    const look = (node: Node, parent: Node | undefined): void => {
      const callee = isNode(node.callee) ? dotted(node.callee) : undefined
      const none = Array.isArray(node.arguments) && node.arguments.length === 0
      if (callee === 'Date' && none && table['new Date()']) say(node, `new Date(): use ${table['new Date()']}`)
      if (callee === 'Function' && table['new Function()']) say(node, `new Function(): use ${table['new Function()']}`)
      const name = isLabel(node, parent) ? undefined : dotted(node)
      const banned = name === undefined ? undefined : Object.keys(table).find((key) => `${name}.`.startsWith(`${key}.`))
      if (banned !== undefined) return void say(node, `${banned}: use ${table[banned]}`)
      const text = node.type === 'TemplateElement' ? (node.value as { raw: string }).raw : node.value
      if (texts && typeof text === 'string' && runtimes.test(text)) say(node, `names a runtime: ${text.slice(0, 60)}`)
      for (const [part, child] of Object.entries(node)) {
        if (part === 'property' && node.computed !== true) continue
        for (const one of Array.isArray(child) ? child : [child]) if (isNode(one)) look(one, node)
      }
    }
    look(tree, undefined)
  }
  return found
}

const without = (files: Files, prefix: string): Files =>
  Object.fromEntries(Object.entries(files).filter(([path]) => !path.startsWith(prefix)))

const core = readFiles('src/**/*.ts')
const overStores = readFiles('adapters/{memory,upstash,ioredis,tcp,memcached,nats}/**/*.ts')
const everywhere = readFiles('adapters/{memory,upstash,hono}/**/*.ts')

describe('time and chance come in through src/runtime', () => {
  it('in the core and in every store', () => {
    expect(Object.keys(core).length).toBeGreaterThan(10)
    const found = uses({ ...without(core, 'src/runtime/'), ...overStores }, ambient)
    const isExcused = (use: string): boolean => /Timeout: /.test(use) && (use.split(':')[0] as string) in excused
    expect(found.filter((use) => !isExcused(use))).toEqual([])
    const needed = found.filter(isExcused).map((use) => use.split(':')[0])
    expect(Object.keys(excused).filter((path) => !needed.includes(path))).toEqual([])
  })
  it('and src/runtime is where they are', () => {
    const found = uses(core, ambient).map((use) => use.replace(/:.*? /, ' ').replace(/:.*/, ''))
    for (const name of ['clock.ts Date.now', 'clock.ts setTimeout', 'random.ts Math.random'])
      expect(found).toContain(`src/runtime/${name}`)
  })
  it.each([
    'const t = Date.now()',
    'const clock = globalThis.Date.now',
    `const clock = Date['now']`,
    'const at = new Date()',
    'const at = Date()',
    'const t = performance.now()',
    'setTimeout(() => {}, 5)',
    'const later = globalThis.setTimeout',
    'setInterval(f, 5)',
    'const signal = AbortSignal.timeout(5)',
    'const r = Math.random() as number',
    'crypto.getRandomValues(new Uint8Array(4))',
    'const id = crypto.randomUUID()',
    'const { now = Date.now } = options',
  ])('refused: %s', (text) => {
    expect(uses({ 'src/a.ts': text }, ambient)).toHaveLength(1)
  })
  it.each([
    'const at = new Date(ms)',
    'const now = options.now()',
    'const options = { setTimeout: 1 }',
    '// Date.now()',
    'crypto.subtle.digest(a, b)',
    'interface A { setTimeout?: number }',
    'store.performance.now()',
    'const text = "Math.random()"',
  ])('allowed: %s', (text) => {
    expect(uses({ 'src/a.ts': text }, ambient)).toEqual([])
  })
})

describe('no runtime is named outside its adapter', () => {
  it('in the core, and in what runs on every runtime', () => {
    expect(uses(core, foreign, true)).toEqual([])
    const found = uses(everywhere, foreign, true)
    const isExcused = (use: string): boolean => (use.split(':')[0] as string) in namesPlatforms
    expect(found.filter((use) => !isExcused(use))).toEqual([])
    expect([...new Set(found.filter(isExcused).map((use) => use.split(':')[0]))]).toEqual(Object.keys(namesPlatforms))
  })
  it.each([
    'const url = process.env.URL',
    'const url = globalThis.process?.env',
    'const b: Buffer = x',
    'type B = Buffer',
    'if (typeof Deno !== "undefined") f()',
    'const b = global',
    'setImmediate(f)',
    'const f = new Function("return 1")',
    'eval("1")',
    'const s = AbortSignal.any([a, b])',
    'const { promise } = Promise.withResolvers<void>()',
    'const name = "cloudflare:workers"',
    'const name = `node:$' + '{part}`',
  ])('refused: %s', (text) => {
    expect(uses({ 'src/a.ts': text }, foreign, true)).toHaveLength(1)
  })
  it.each([
    'const options = { process: 1 }',
    'const reply = item.process',
    'const text = "a bundle of nodes"',
    '// process.env',
  ])('allowed: %s', (text) => {
    expect(uses({ 'src/a.ts': text }, foreign, true)).toEqual([])
  })
})
