import { globSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig, type ViteUserConfig } from 'vitest/config'
import { compileCache } from './test/support/compile-cache.ts'
import { sharesServers } from './test/support/global-setup.ts'
import { LongestFirst } from './test/support/longest-first.ts'
import { seedOfTheDay } from './test/support/seed.ts'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const alias = [
  { find: /^hither$/, replacement: at('./src/index.ts') },
  { find: /^hither\/codec$/, replacement: at('./src/codec/index.ts') },
  { find: /^hither\/(counter|embedded|idempotency|migrate|once|token)$/, replacement: at('./src/$1/index.ts') },
  { find: /^hither\/gateway$/, replacement: at('./src/gateway/index.ts') },
  { find: /^hither\/http$/, replacement: at('./src/http/index.ts') },
  { find: /^hither\/keys$/, replacement: at('./src/cache/hashed-keys.ts') },
  { find: /^hither\/lock$/, replacement: at('./src/lock/index.ts') },
  { find: /^hither\/near$/, replacement: at('./src/near/index.ts') },
  { find: /^hither\/rate-limit$/, replacement: at('./src/rate-limit/index.ts') },
  { find: /^hither\/mini$/, replacement: at('./src/cache/mini.ts') },
  { find: /^hither\/functions$/, replacement: at('./src/cache/functions/index.ts') },
  { find: /^hither\/plain$/, replacement: at('./src/cache/parts/format-plain.ts') },
  { find: /^hither\/refresh$/, replacement: at('./src/cache/refresh.ts') },
  { find: /^hither\/channel$/, replacement: at('./src/channel/index.ts') },
  { find: /^hither\/session$/, replacement: at('./src/session/index.ts') },
  { find: /^hither\/structures$/, replacement: at('./src/structures/index.ts') },
  { find: /^hither\/testing$/, replacement: at('./src/testing/index.ts') },
  { find: /^hither\/testing\/node$/, replacement: at('./adapters/node/testing.ts') },
  { find: /^hither\/([\w-]+)$/, replacement: at('./adapters/$1/index.ts') },
]

/** The aliases of the sources, and of what `imports` of the manifest leads to under the runtime's condition. */
const resolve = (runtime: 'node' | 'cloudflare' | 'vercel') => ({
  alias: [
    ...alias,
    { find: '#background', replacement: at(`./adapters/${runtime}/background.ts`) },
    { find: '#socket', replacement: at(`./adapters/${runtime}/socket.ts`) },
    { find: '#lua-runtime', replacement: at('./adapters/lua/runtime.ts') },
  ],
})

/** Tests that run in Node, in workerd and in the edge runtime: the store contract on memory, and unit tests. */
const everywhere = ['test/conformance/memory.test.ts', 'test/unit/**/*.test.ts', 'test/runtimes/*.test.ts']
/** Unit tests of what only Node has: a TCP client, a proxy, zlib, vm, or more than workerd's 10,000 timers a request. */
const onlyNode = [
  'test/unit/{ioredis,ioredis-database,ioredis-ends,ioredis-watch,node-redis}.test.ts',
  'test/unit/{tcp.test,tcp/guards.test,store-options.test}.ts',
  'test/unit/tcp-cluster.test.ts',
  'test/unit/cli.test.ts',
  'test/unit/{silent-server,stall,full-servers}.test.ts',
  'test/unit/memcached/guards.test.ts',
  'test/unit/nats/**',
  'test/unit/support/**',
  'test/unit/codec/codec.test.ts',
  'test/unit/session/libraries.test.ts',
  'test/unit/protocol/kind.test.ts',
  'test/unit/near/weight.test.ts',
  'test/unit/leases-heap.test.ts',
  'test/unit/cache/{bounds,fake-timers}.test.ts',
  'test/unit/embedded/{bounds,script-errors}.test.ts',
  'test/unit/lock/crowd.test.ts',
  'test/unit/http/{abandoned,differential,versions}.test.ts',
  // It replaces a module by that of Workers.
  'test/unit/ended-requests.test.ts',
]

/**
 * Tests of Workers' own stores, which need a Worker with bindings. They are a separate project, since with such a Worker the
 * runner reports every rejection that is caught a moment later.
 */
const withBindings = ['test/runtimes/workerd/stores.test.ts']

/**
 * Whether a file replaces a global, such as a clock or a timer. It would see what other files have left under way, so each such
 * file has a worker to itself. All other files of workerd share one, since a worker takes a second of processor time to start.
 */
const takesGlobals = (path: string): boolean =>
  /useFakeTimers|useClock|spyOn|globalThis|Object\.prototype/.test(readFileSync(at(`./${path}`), 'utf8'))

/** Tests of the repository itself, which need no server. */
const offline = ['test/structure/**/*.test.ts', 'test/package/**/*.test.ts']

/**
 * Whether a file of `test/faults` reads a clock, and so asserts milliseconds. A file that only makes a deadline,
 * `Date.now() + 30`, does not.
 */
const readsClock = (path: string): boolean =>
  /performance\.now|Date\.now\(\)(?! \+)|createStallMeter/.test(readFileSync(at(`./${path}`), 'utf8'))
/**
 * The files that read a clock, but wait more than they compute and have wide bounds. With ten programs to each processor these
 * bounds held, none of them only at a second try. So these files run beside others.
 */
const timedBeside = ['test/faults/{dead-leader,http-parsers,lock-times,memcached-nats,own-cluster,restarts}.test.ts']
/**
 * Files that run one at a time after all others, so that no other file slows what they measure. So do the files that ask workerd
 * many things at once: its stores have a second for each reply, and after that each caller computes for itself.
 */
const timedAlone = [
  ...globSync('test/faults/**/*.test.ts', { cwd: at('.'), exclude: timedBeside }).filter(readsClock),
  'test/runtimes/requests/requests.test.ts',
  'test/examples/{worker,edge}.test.ts',
]
/**
 * A missed bound in milliseconds is measured up to four times more, since the machine may have had something else to do. A result
 * that is wrong, not late, fails at once.
 */
const retry = { count: 4, condition: /to be less than or equal to/ }

/** Most files wait more than they compute, so more of them run side by side than there are processors. */
const maxWorkers = sharesServers() ? 1 : availableParallelism() + 2

/** Timeouts that end a test which hangs. They bound no duration: files run side by side, and a machine may have more to do. */
const hangs = { testTimeout: 60_000, hookTimeout: 60_000 }

const servers = 'test/support/global-setup.ts'
/** Each worker of these projects has its own servers. */
const withServers = { ...hangs, setupFiles: ['test/support/worker-servers.ts'] }

// The day may end while the tests run, so every process takes the seed from here.
process.env.HITHER_SEED = `${seedOfTheDay()}`
process.env.NODE_COMPILE_CACHE ??= compileCache.NODE_COMPILE_CACHE
const report = process.env.HITHER_REPORT
/** The length of the long tests, for runtimes that do not see the environment of the process. */
const env = {
  HITHER_SEED: process.env.HITHER_SEED,
  ...(process.env.HITHER_SOAK && { HITHER_SOAK: process.env.HITHER_SOAK }),
  ...(process.env.HITHER_SOAK_SHARE && { HITHER_SOAK_SHARE: process.env.HITHER_SOAK_SHARE }),
}

const inWorkerd = globSync([...everywhere, 'test/runtimes/workerd/*.test.ts'], {
  cwd: at('.'),
  exclude: [...onlyNode, ...withBindings],
})
const workerd = (test: { name: string; include: string[]; isolate?: boolean }) => ({
  resolve: resolve('cloudflare'),
  plugins: [cloudflareTest({ wrangler: { configPath: './test/runtimes/workerd/wrangler.jsonc' } })],
  test: { ...hangs, env, setupFiles: ['./test/runtimes/workerd/rejections.ts'], ...test },
})

const config: ViteUserConfig = defineConfig({
  test: {
    maxWorkers,
    globalSetup: ['test/support/shared-package.ts', servers],
    sequence: { sequencer: LongestFirst },
    reporters: [
      'default',
      './test/support/contract-table.ts',
      './test/support/slowest-files.ts',
      ...(report ? ([['json', { outputFile: report }]] satisfies [string, object][]) : []),
    ],
    projects: [
      {
        resolve: resolve('node'),
        test: {
          name: 'node',
          include: ['test/**/*.test.ts'],
          exclude: ['test/runtimes/{workerd,edge}/**', ...offline, ...timedAlone, ...timedBeside],
          ...withServers,
        },
      },
      {
        resolve: resolve('node'),
        test: { name: 'timed-beside', include: timedBeside, maxConcurrency: 2, retry, ...withServers },
      },
      {
        resolve: resolve('node'),
        test: {
          name: 'timed',
          include: timedAlone,
          maxWorkers: 1,
          maxConcurrency: 2,
          retry,
          sequence: { groupOrder: 1 },
          ...withServers,
          globalSetup: [servers], // new servers, in which no other file has left anything
        },
      },
      { test: { name: 'repository', include: offline, ...hangs } },
      workerd({ name: 'workers', include: inWorkerd.filter(takesGlobals) }),
      workerd({ name: 'workers-shared', include: inWorkerd.filter((path) => !takesGlobals(path)), isolate: false }),
      {
        resolve: resolve('cloudflare'),
        plugins: [cloudflareTest({ wrangler: { configPath: './test/runtimes/workerd/wrangler.stores.jsonc' } })],
        test: {
          name: 'workers-stores',
          ...hangs,
          include: withBindings,
          setupFiles: ['./test/runtimes/workerd/rejections.ts'],
        },
      },
      {
        resolve: resolve('vercel'),
        test: {
          name: 'edge',
          ...hangs,
          env,
          environment: 'edge-runtime',
          pool: 'vmThreads', // any other pool leaks Node's globals into the environment
          include: [...everywhere, 'test/runtimes/edge/*.test.ts'],
          setupFiles: ['test/runtimes/edge/request.ts'],
          exclude: onlyNode,
        },
      },
    ],
  },
})

export default config
