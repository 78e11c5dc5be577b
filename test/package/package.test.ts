import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { EdgeVM } from '@edge-runtime/vm'
import { build as bundle } from 'esbuild'
import { build as viteBuild } from 'vite'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import webpack from 'webpack'
import { unstable_startWorker } from 'wrangler'
import { installOutside, type Outside, startEndpoint, systemNode } from './outside.ts'

let outside: Outside
let endpoint: Awaited<ReturnType<typeof startEndpoint>>
beforeAll(async () => {
  endpoint = await startEndpoint()
  outside = await installOutside()
}, 300_000)
afterAll(() => {
  endpoint?.stop()
  outside?.remove()
})

/** The program in every bundle: a set and a get through the cache in memory, a miss, and a read over `fetch`. */
const main = `
import { createCache, isHitherError } from 'hither'
import { memoryStore } from 'hither/memory'
import { upstashStore } from 'hither/upstash'

export async function main(url) {
  const cache = createCache({ store: memoryStore(), ttl: '1m' })
  await cache.set('k', { at: new Date(0), n: 1n })
  const hit = await cache.get('k')
  const miss = await cache.get('none')
  const loaded = await cache.getOrSet('l', () => 'loaded')
  const refused = await cache.get('').catch((error) => isHitherError(error) && error.code)
  const remote = await upstashStore({ url, token: 't' }).get('k')
  return [hit.at.getTime(), String(hit.n), miss === undefined, loaded, refused, remote].join(' ')
}
`
const answer = '0 1 true loaded INVALID_KEY remote'
/** What a bundle must not contain: imports of Node's modules, and `require`. */
const nodeless = /\b(?:require\(|from\s*['"]node:|import\(['"]node:)/

describe('the tarball', () => {
  it('holds the built modules, their types, and what a reader needs: nothing else', () => {
    const expected =
      /^(package\.json|[A-Z]+\.md|LICENSE|llms(-full)?\.txt|bench\/README\.md|docs\/(decisions\/)?[\w-]+\.(md|svg)|dist\/(src|adapters|cli)\/[\w/-]+(\.js|\.d\.ts)|dist\/lua-redis-wasm\/(LICENSE|THIRD_PARTY_NOTICES\.md|index\.js|redis_lua\.(mjs|wasm)))$/
    expect(outside.files.filter((path) => !expected.test(path))).toEqual([])
    expect(outside.files).toEqual(
      expect.arrayContaining([
        'LICENSE',
        'CHANGELOG.md',
        'docs/errors.md',
        'dist/src/index.js',
        'dist/src/index.d.ts',
        'dist/cli/hither.js',
      ]),
    )
  })
  it('brings no dependency', () => {
    const lock = readFileSync(join(outside.folder, 'package-lock.json'), 'utf8')
    const { packages } = JSON.parse(lock) as { packages: Record<string, unknown> }
    expect(Object.keys(packages)).toEqual(['', 'node_modules/hither'])
  })
})

describe('the command, with nothing else installed', () => {
  it.each(['dev', 'gateway --dev'])('hither %s runs scripts', async (command) => {
    const program = `
      import { spawn } from 'node:child_process'
      const child = spawn('npx', ['--offline', 'hither', ...${JSON.stringify(command.split(' '))}, '--port', '0', '--redis-port', '0', '--token', 't'],
        { stdio: ['ignore', 'pipe', 'inherit'], detached: true, shell: process.platform === 'win32' })
      const url = await new Promise((resolve) => {
        let text = ''
        child.stdout.on('data', (data) => {
          text += data
          const found = /REST +(\\S+)/.exec(text)
          if (found) resolve(found[1])
        })
        child.on('exit', () => resolve('none'))
      })
      const ask = async (body) => (await fetch(url, { method: 'POST', headers: { authorization: 'Bearer t' }, body: JSON.stringify(body) })).json()
      console.log(JSON.stringify(await ask(['EVAL', "return cjson.encode({redis.call('SET', KEYS[1], ARGV[1]).ok, #cmsgpack.pack(1)})", 1, 'k', 'v'])))
      console.log(JSON.stringify(await ask(['GET', 'k'])))
      process.kill(-child.pid, 'SIGTERM')`
    expect(await outside.run(program)).toBe('{"result":"[\\"OK\\",1]"}\n{"result":"v"}')
  })
  it('hither dev is one file, and starts without a client of HTTP', async () => {
    const program = `
      import { readFileSync } from 'node:fs'
      const built = readFileSync('node_modules/hither/dist/cli/dev.js', 'utf8')
      const imported = [...built.matchAll(/(?:^import .*from |import\\()"([^"]+)"/gm)].map(([, name]) => name)
      const { dev } = await import(new URL('node_modules/hither/dist/cli/dev.js', import.meta.url))
      console.log = (line) => { if (!line.includes('redis-cli')) return; console.info(JSON.stringify({
        outside: [...new Set(imported)].filter((name) => !name.startsWith('node:')),
        loaded: process.moduleLoadList.filter((name) => name.includes('undici/undici')),
      })); process.exit(0) }
      await dev(['--port', '0', '--redis-port', '0'])`
    expect(JSON.parse(await outside.run(program))).toEqual({ outside: ['#lua-runtime'], loaded: [] })
  })
  const script = `
    import { embeddedStore } from 'hither/embedded'
    import { lua } from 'hither/lua'
    const reply = await embeddedStore({ lua }).transport.send({ args: ['EVAL', 'return 7', 0], effect: 'once' })
    console.log(reply.message ?? reply)`
  it('hither/lua opens the runtime in a program', async () => {
    expect(await outside.run(script)).toBe('7')
  })
  it('so it does from a bundle that leaves it out, and one that does not says what to do', async () => {
    const entry = outside.write('scripts.js', script)
    const run = async (external: string[]): Promise<string> => {
      const options = { bundle: true, write: false, format: 'esm', platform: 'node' } as const
      const built = await bundle({ ...options, entryPoints: [entry], external })
      return outside.run(built.outputFiles[0]?.text ?? '')
    }
    expect(await run(['hither/lua'])).toBe('7')
    expect(await run([])).toMatch(/cannot be opened, .*in Node do not bundle hither\/lua$/)
  })
})

describe('by name, in Node', () => {
  // Only workerd has modules of its platform that an entry imports. The store of express-session extends a class of that package.
  const needing = ['hither/cloudflare', 'hither/express-session']
  const entries = (): string[] => outside.entries.filter((name) => !needing.includes(name))
  const everyEntry = (): string => `
    for (const name of ${JSON.stringify(entries())}) {
      const names = Object.keys(await import(name))
      if (names.length === 0) throw new Error(name + ' exports nothing')
      console.log(name)
    }`
  it('imports every entry, with no peer installed', async () => {
    expect(outside.entries.length).toBeGreaterThan(5)
    expect((await outside.run(everyEntry())).split('\n')).toEqual(entries())
  })
  it('runs', async () => {
    expect(await outside.run(`${main}\nconsole.log(await main('${endpoint.url}'))`)).toBe(answer)
  })
  const own = systemNode()
  if (own === undefined || own.major < 20)
    console.log(`skipped: the machine's own Node: ${own ? `is ${own.major}, below 20` : 'there is none on PATH'}`)
  else
    it(`imports every entry and runs in the machine's own Node ${own.major}`, async () => {
      expect((await outside.run(everyEntry(), own.path)).split('\n')).toEqual(entries())
      expect(await outside.run(`${main}\nconsole.log(await main('${endpoint.url}'))`, own.path)).toBe(answer)
    })
})

describe('in a bundle', () => {
  it('by esbuild, in workerd without nodejs_compat', async () => {
    const entry = outside.write(
      'worker.js',
      `${main}
import { waitUntil } from 'hither/cloudflare'
const later = []
const note = async (text) => {
  await new Promise((resolve) => setTimeout(resolve, 50))
  later.push(text)
}
export default { async fetch(request) {
  const url = new URL(request.url).searchParams.get('url')
  if (url === null) return new Response(later.sort().join())
  waitUntil(note('by waitUntil'))
  const cache = createCache({ store: memoryStore(), ttl: '1m', grace: '1m' })
  await cache.set('stale', 1)
  await cache.expire('stale')
  await cache.getOrSet('stale', () => note('by the cache itself'), { softTimeout: 1 })
  return new Response(typeof process + ' ' + typeof Buffer + ' ' + await main(url))
} }`,
    )
    const outfile = join(outside.folder, 'worker-bundle.mjs')
    await bundle({
      entryPoints: [entry],
      outfile,
      bundle: true,
      minify: true,
      format: 'esm',
      conditions: ['workerd', 'worker', 'browser'],
      external: ['cloudflare:*'],
    })
    expect(readFileSync(outfile, 'utf8')).not.toMatch(nodeless)
    const worker = await unstable_startWorker({
      name: 'hither-package',
      entrypoint: outfile,
      compatibilityDate: '2025-09-01',
      compatibilityFlags: [],
      build: { bundle: false, nodejsCompatMode: null },
      dev: { server: { hostname: '127.0.0.1', port: 0 }, inspector: false, watch: false, logLevel: 'error' },
    })
    try {
      const response = await worker.fetch(`http://localhost/?url=${encodeURIComponent(endpoint.url)}`)
      expect(await response.text()).toBe(`undefined undefined ${answer}`)
      const later = async (): Promise<string> => (await worker.fetch('http://localhost/')).text()
      await vi.waitFor(async () => expect(await later()).toBe('by the cache itself,by waitUntil'), { timeout: 5000 })
    } finally {
      await worker.dispose()
    }
  }, 60_000)

  it('by esbuild, in the edge runtime', async () => {
    const entry = outside.write('edge.js', main)
    const built = await bundle({
      entryPoints: [entry],
      write: false,
      bundle: true,
      minify: true,
      format: 'iife',
      globalName: 'built',
      conditions: ['edge-light', 'worker', 'browser'],
    })
    const vm = new EdgeVM()
    const text = built.outputFiles[0]?.text ?? ''
    expect(text).not.toMatch(nodeless)
    expect(text).toContain('@vercel/request-context')
    expect(text).not.toContain('cloudflare:')
    vm.evaluate(text)
    expect(vm.evaluate('typeof process + typeof Buffer')).toBe('undefinedundefined')
    expect(await vm.evaluate<Promise<string>>(`built.main('${endpoint.url}')`)).toBe(answer)
  }, 60_000)

  it('by Vite', async () => {
    const entry = outside.write('vite.js', main)
    await viteBuild({
      root: outside.folder,
      configFile: false,
      logLevel: 'error',
      build: { lib: { entry, formats: ['es'], fileName: 'vite-bundle' }, outDir: 'vite-out', target: 'es2022' },
    })
    expect(readFileSync(join(outside.folder, 'vite-out/vite-bundle.js'), 'utf8')).not.toMatch(
      /from ['"](?!cloudflare:)/,
    )
    const program = `import { main } from './vite-out/vite-bundle.js'\nconsole.log(await main('${endpoint.url}'))`
    expect(await outside.run(program)).toBe(answer)
  }, 60_000)

  it('by webpack', async () => {
    const entry = outside.write('webpack.js', main)
    const stats = await new Promise<webpack.Stats | undefined>((done, fail) => {
      webpack(
        {
          mode: 'production',
          context: outside.folder,
          entry,
          target: ['web', 'es2022'],
          experiments: { outputModule: true },
          output: { path: join(outside.folder, 'webpack-out'), filename: 'bundle.mjs', library: { type: 'module' } },
        },
        (error, result) => (error ? fail(error) : done(result)),
      )
    })
    expect(stats?.toJson({ all: false, errors: true, warnings: true })).toMatchObject({ errors: [], warnings: [] })
    const program = `import { main } from './webpack-out/bundle.mjs'\nconsole.log(await main('${endpoint.url}'))`
    expect(await outside.run(program)).toBe(answer)
  }, 60_000)
})
