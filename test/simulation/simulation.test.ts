import { expect, it } from 'vitest'
import { rounds } from '../support/rounds.ts'
import { seedOfTheDay } from '../support/seed.ts'
import { bootOf, bundle } from './build.ts'
import { explain, play } from './play.ts'
import known from './seeds.json' with { type: 'json' }
import { simulate } from './simulate.ts'

/** The same in every run. */
const FIXED = rounds({ quick: 40, soak: 1000 })
/** Others every day. */
const NEW = rounds({ quick: 100, soak: 2000 })

it(`nothing comes back, hangs, or is loaded twice: ${FIXED} seeds, and ${NEW} of the day`, async () => {
  const from = seedOfTheDay() * 10_000
  const seeds = [
    ...known,
    ...Array.from({ length: FIXED }, (_, i) => i + 1),
    ...Array.from({ length: NEW }, (_, i) => from + i),
  ]
  const { failures, ms, ...played } = await play(seeds)
  console.log(`simulation: ${JSON.stringify(played)}, new seeds from ${from}, in ${(ms / 1000).toFixed(1)} s`)
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
