import { globSync, readFileSync } from 'node:fs'
import { type StartedGateway, startGateway } from 'hither/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isSoak } from '../support/rounds.ts'
import { seedOfTheDay } from '../support/seed.ts'
import { formsOf, REVISION, type Running, runSuite, scoreOf, startOrigin } from './suite/suite.ts'

let origin: Running
let gateway: StartedGateway
const redisUrl = process.env.REDIS8_URL as string
beforeAll(async () => {
  origin = await startOrigin()
  gateway = await startGateway({ redis: redisUrl })
})
afterAll(async () => {
  await origin?.stop()
  await gateway?.stop()
})

// Each form takes forty seconds, most of it waiting for responses to become stale. `npm test` runs two, one in Node and one
// in workerd, so that four days cover all. `npm run soak` runs all.
const forms = formsOf('', { url: '', token: '' }).map(({ name, profile }, i) => ({ name, profile, i }))
const ofToday = ['Node', 'workerd'].map((runtime) => {
  const those = forms.filter(({ name }) => name.startsWith(`${runtime}, `))
  return those[seedOfTheDay() % those.length] as (typeof forms)[number]
})
const played = isSoak ? forms : ofToday
for (const { name, profile, i } of forms)
  if (!played.some((one) => one.i === i))
    console.log(`not today, by the seed: ${name}, ${profile} (npm run soak runs it)`)

type Form = ReturnType<typeof formsOf>[number]
const formOf = (i: number): Form => formsOf(redisUrl, gateway)[i] as Form

async function scoreOfForm(i: number): Promise<ReturnType<typeof scoreOf>> {
  const proxy = await formOf(i).start(origin.url)
  try {
    return scoreOf(await runSuite(proxy.url))
  } finally {
    await proxy.stop()
  }
}

/**
 * Whether a form passed too few tests, though no more failed than may. On a busy machine, what a test has just stored may be
 * stale before the test asks again, so that the test could not be played. A real failure counts at once.
 */
function cameLate({ required, optimal, fails }: ReturnType<typeof scoreOf>, i: number): boolean {
  const { least } = formOf(i)
  return (required < least.required || optimal < least.optimal) && fails <= least.fails
}

describe(`the public suite of HTTP caches at revision ${REVISION}`, () => {
  it.each(played.map(({ name, profile, i }) => [`${name}, ${profile}`, i] as const))(
    'is passed: %s',
    async (_, i) => {
      let score = await scoreOfForm(i)
      for (let again = 0; again < 2 && cameLate(score, i); again++) {
        console.log(`${formOf(i).name}: the machine was late for what was fresh; once more`)
        score = await scoreOfForm(i)
      }
      const { least } = formOf(i)
      const told = JSON.stringify(score.missed.map(({ id, outcome, reason }) => [id, outcome, reason]))
      expect(score.required, told).toBeGreaterThanOrEqual(least.required)
      expect(score.optimal, told).toBeGreaterThanOrEqual(least.optimal)
      expect(score.fails, told).toBeLessThanOrEqual(least.fails)
    },
    400_000,
  )
  it('is known to no source by a header of its own', () => {
    const names = ['Test-ID', 'Test-Name', 'Req-Num', 'Server-Request-Count', 'Client-Request-Count'].map((name) =>
      name.toLowerCase(),
    )
    const files = globSync('{src,adapters,examples,cli,bench,docs}/**/*.{ts,md,html}')
    const told = files.filter((path) => names.some((name) => readFileSync(path, 'utf8').toLowerCase().includes(name)))
    expect([files.length > 100, told]).toEqual([true, []])
  })
})
