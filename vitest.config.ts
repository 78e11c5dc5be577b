import { fileURLToPath } from 'node:url'
import { defineConfig, type ViteUserConfig } from 'vitest/config'

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const alias = [
  { find: /^hither$/, replacement: at('./src/index.ts') },
  { find: /^hither\/gateway$/, replacement: at('./src/gateway/index.ts') },
  { find: /^hither\/testing$/, replacement: at('./src/testing/index.ts') },
  { find: /^hither\/testing\/node$/, replacement: at('./adapters/node/index.ts') },
  { find: /^hither\/(\w+)$/, replacement: at('./adapters/$1/index.ts') },
]

const report = process.env.HITHER_REPORT

const config: ViteUserConfig = defineConfig({
  test: {
    reporters: report
      ? ['default', './test/support/contract-table.ts', ['json', { outputFile: report }]]
      : ['default', './test/support/contract-table.ts'],
    projects: [
      {
        resolve: { alias },
        test: { name: 'node', include: ['test/**/*.test.ts'], globalSetup: ['test/support/global-setup.ts'] },
      },
    ],
  },
})

export default config
