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

// Each form takes forty seconds, most of them waiting for responses to become stale. In `npm test` two are run, one in Node
// and one in workerd, of which four days see all; in `npm run soak` all are run.
const forms = formsOf('', { url: '', token: '' }).map(({ name, profile }, i) => ({ name, profile, i }))
const ofToday = ['Node', 'workerd'].map((runtime) => {
  const those = forms.filter(({ name }) => name.startsWith(`${runtime}, `))
  return those[seedOfTheDay() % those.length] as (typeof forms)[number]
})
const played = isSoak ? forms : ofToday
for (const { name, profile, i } of forms)
  if (!played.some((one) => one.i === i))
    console.log(`not today, by the seed: ${name}, ${profile} (npm run soak runs it)`)

describe(`the public suite of HTTP caches at revision ${REVISION}`, () => {
  it.each(played.map(({ name, profile, i }) => [`${name}, ${profile}`, i] as const))(
    'is passed: %s',
    async (_, i) => {
      const form = formsOf(redisUrl, gateway)[i] as ReturnType<typeof formsOf>[number]
      const proxy = await form.start(origin.url)
      const score = scoreOf(await runSuite(proxy.url))
      await proxy.stop()
      const told = JSON.stringify(score.missed.map(({ id, outcome, reason }) => [id, outcome, reason]))
      expect(score.required, told).toBeGreaterThanOrEqual(form.least.required)
      expect(score.optimal, told).toBeGreaterThanOrEqual(form.least.optimal)
      expect(score.fails, told).toBeLessThanOrEqual(form.least.fails)
    },
    300_000,
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
