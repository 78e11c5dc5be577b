import { fileURLToPath } from 'node:url'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig, type ViteUserConfig } from 'vitest/config'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const alias = [
  { find: /^hither$/, replacement: at('./src/index.ts') },
  { find: /^hither\/codec$/, replacement: at('./src/codec/index.ts') },
  { find: /^hither\/(counter|idempotency|once|token)$/, replacement: at('./src/$1/index.ts') },
  { find: /^hither\/gateway$/, replacement: at('./src/gateway/index.ts') },
  { find: /^hither\/near$/, replacement: at('./src/near/index.ts') },
  { find: /^hither\/rate-limit$/, replacement: at('./src/rate-limit/index.ts') },
  { find: /^hither\/refresh$/, replacement: at('./src/cache/refresh.ts') },
  { find: /^hither\/testing$/, replacement: at('./src/testing/index.ts') },
  { find: /^hither\/testing\/node$/, replacement: at('./adapters/node/index.ts') },
  { find: /^hither\/([\w-]+)$/, replacement: at('./adapters/$1/index.ts') },
]

/** The sources, and what `imports` of the manifest leads to under the runtime's condition. */
const resolve = (runtime: 'node' | 'cloudflare' | 'vercel') => ({
  alias: [...alias, { find: '#background', replacement: at(`./adapters/${runtime}/background.ts`) }],
})

/** Run in Node, in workerd and in the edge runtime: the store contract on memory, and unit tests. */
const everywhere = ['test/conformance/memory.test.ts', 'test/unit/**/*.test.ts', 'test/runtimes/*.test.ts']
/** Unit tests of what only Node has: a TCP client, a proxy, zlib; workerd allows 10,000 timers a request. */
const onlyNode = [
  'test/unit/ioredis.test.ts',
  'test/unit/tcp.test.ts',
  'test/unit/cli.test.ts',
  'test/unit/support/**',
  'test/unit/codec/codec.test.ts',
  'test/unit/cache/bounds.test.ts',
]

/** Of the repository itself: they need no server. */
const offline = ['test/structure/**/*.test.ts', 'test/package/**/*.test.ts']

const report = process.env.HITHER_REPORT

const config: ViteUserConfig = defineConfig({
  test: {
    reporters: report
      ? ['default', './test/support/contract-table.ts', ['json', { outputFile: report }]]
      : ['default', './test/support/contract-table.ts'],
    projects: [
      {
        resolve: resolve('node'),
        test: {
          name: 'node',
          include: ['test/**/*.test.ts'],
          exclude: ['test/runtimes/{workerd,edge}/**', ...offline],
          globalSetup: ['test/support/global-setup.ts'],
        },
      },
      { test: { name: 'repository', include: offline, testTimeout: 60_000 } },
      {
        resolve: resolve('cloudflare'),
        plugins: [cloudflareTest({ wrangler: { configPath: './test/runtimes/workerd/wrangler.jsonc' } })],
        test: { name: 'workers', include: [...everywhere, 'test/runtimes/workerd/*.test.ts'], exclude: onlyNode },
      },
      {
        resolve: resolve('vercel'),
        test: {
          name: 'edge',
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
