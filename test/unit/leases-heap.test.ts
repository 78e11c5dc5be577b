import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

it('leases over a store without operations hold none of its values in memory', () => {
  const script = fileURLToPath(new URL('leases-heap.ts', import.meta.url))
  // A separate process, in which nothing else allocates.
  const { stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', script], { encoding: 'utf8' })
  expect(Number.parseFloat(stdout), stderr).toBeLessThan(2000)
}, 60_000)
