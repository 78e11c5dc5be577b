import { expect, it } from 'vitest'
import { bootOf, bundle } from './build.ts'
import { explain, play } from './play.ts'
import known from './seeds.json' with { type: 'json' }
import { simulate } from './simulate.ts'

const SEEDS = 1000

it(`nothing comes back, hangs, or is loaded twice: ${SEEDS} seeds`, async () => {
  const seeds = [...known, ...Array.from({ length: SEEDS }, (_, i) => i + 1)]
  const { failures, ms, ...played } = await play(seeds)
  console.log(`simulation: ${JSON.stringify(played)} in ${(ms / 1000).toFixed(1)} s`)
  const [first] = failures
  if (first) expect.fail(await explain(first.seed))
  expect(played.seeds).toBe(seeds.length)
}, 600_000)

it('a seed gives the same history each time', async () => {
  const boot = bootOf(await bundle())
  const once = await simulate(11, boot, { tracing: true })
  const again = await simulate(11, boot, { tracing: true })
  expect(once.trace.length).toBeGreaterThan(0)
  expect(again).toEqual(once)
})
