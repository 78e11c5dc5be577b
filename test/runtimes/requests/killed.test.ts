import { fileURLToPath } from 'node:url'
import { createContext, runInContext } from 'node:vm'
import { build } from 'esbuild'
import { beforeAll, expect, it } from 'vitest'

// A runtime that ends a request at its limit of processor time stops it in the middle of its microtasks, and drops those
// that were still to run. Local workerd has no such limit. V8 does the same to a context with a timeout.

const at = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url))
let bundle = ''
beforeAll(async () => {
  const contents = `
    import { createCache } from './src/index.ts'
    import { memoryStore } from './adapters/memory/index.ts'
    import { createCommandStore } from './src/store/command-store.ts'
    export { createCache, memoryStore, createCommandStore }`
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: at('.'), loader: 'ts' },
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'hither',
    target: 'es2022',
    alias: { '#background': at('adapters/vercel/background.ts') },
  })
  bundle = outputFiles[0]?.text ?? ''
})

/** Stands for an isolate, whose requests share what its module made. */
function isolate(module: string) {
  const globals = {
    setTimeout,
    clearTimeout,
    AbortController,
    DOMException,
    crypto,
    TextEncoder,
    btoa,
    atob,
    seen: [] as unknown[],
  }
  const context = createContext(globals, { microtaskMode: 'afterEvaluate' })
  // `queueMicrotask` of the context uses its own queue, which ends with the context.
  const queue = 'globalThis.queueMicrotask = (work) => void Promise.resolve().then(work)'
  runInContext(`${queue}\n${bundle}\n${module}`, context)
  const request = (code: string, timeout = 10_000): unknown => runInContext(code, context, { timeout })
  return {
    seen: globals.seen,
    request,
    /** Runs the microtasks that are left until `seen` has an item. Resolves to that item. */
    async settled(): Promise<unknown> {
      for (let i = 0; i < 200 && globals.seen.length === 0; i++) {
        await new Promise((resolve) => setTimeout(resolve, 10))
        request('0')
      }
      return globals.seen.shift()
    },
  }
}

const module = `
  const answer = ([verb, ...args]) => {
    if (verb === 'GET') return null
    if (verb === 'MGET') return args.map(() => null)
    if (!/^EVAL/.test(verb)) return 'OK'
    return args.includes('lease') ? ['held', Date.now(), ''] : 1
  }
  const transport = {
    send: async ({ args }) => answer(args),
    sendMany: async (commands) => commands.map(({ args }) => answer(args)),
    close: async () => {},
  }
  const traits = hither.memoryStore().traits
  const store = hither.createCommandStore({ name: 'model', traits, transport })
  const cache = hither.createCache({ store, ttl: 60000 })`

const killed = (work: string): string => `${work}; Promise.resolve().then(() => { for (;;); }); 0`
const ended = expect.objectContaining({ code: 'ERR_SCRIPT_EXECUTION_TIMEOUT' })

it.each([
  ['a read', `cache.get('k')`],
  ['a load', `cache.getOrSet('k', () => 'old', { tags: ['t'] })`],
])('%s of a request that was ended in the middle of its microtasks holds up no other', async (_, work) => {
  const { request, settled } = isolate(module)
  let error: unknown
  try {
    request(killed(work), 50)
  } catch (thrown) {
    error = thrown
  }
  expect(error).toEqual(ended)
  await new Promise((resolve) => setTimeout(resolve, 600))
  request(`cache.get('k').then((value) => seen.push(['get', value]), (error) => seen.push(String(error))); 0`)
  expect(await settled()).toEqual(['get', undefined])
  request(
    `cache.getOrSet('k', () => 'new', { tags: ['t'] }).then((value) => seen.push(value), (error) => seen.push(String(error))); 0`,
  )
  expect(await settled()).toBe('new')
})

it('a call made late in a long run of microtasks is sent, and so are those before it', async () => {
  const { request, settled } = isolate(module)
  const busy = 'for (const end = Date.now() + 600; Date.now() < end; );'
  request(`const both = [cache.get('a')]; ${busy} both.push(cache.get('b'));
    Promise.all(both).then((values) => seen.push(values.length), (error) => seen.push(String(error))); 0`)
  expect(await settled()).toBe(2)
})
