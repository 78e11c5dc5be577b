import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

describe('the weight of a decoded value', () => {
  it('is within a factor of two of what it takes in the heap, for each common shape', () => {
    const script = fileURLToPath(new URL('heap.ts', import.meta.url))
    // A separate process, in which nothing else allocates.
    const { stdout, stderr } = spawnSync(process.execPath, ['--expose-gc', script], { encoding: 'utf8' })
    const found = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { shape: string; estimated: number; taken: number })
    expect(found.length, stderr).toBeGreaterThan(20)
    for (const { shape, estimated, taken } of found) {
      expect(estimated / taken, shape).toBeGreaterThan(0.5)
      expect(estimated / taken, shape).toBeLessThan(2)
    }
  }, 300_000)
})
