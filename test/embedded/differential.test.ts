import { expect, it } from 'vitest'
import { Engine } from '../../src/embedded/index.ts'
import { seedOfTheDay } from '../support/seed.ts'
import { comparable, compare } from './support/compare.ts'
import { readGrammars } from './support/grammar.ts'

const url = process.env.REDIS8_URL ?? ''
const TOTAL = Number(process.env.HITHER_COMMANDS ?? 4000)

it('answers random histories as a Redis 8 does, but for what is written in support/allowed.ts', async () => {
  const engine = new Engine()
  const grammars = comparable(await readGrammars(url), engine)
  const { commands, differences } = await compare(url, engine, grammars, { seed: 4242, total: TOTAL })
  console.log(`compared ${commands} commands of ${grammars.length} grammars (today's seed would be ${seedOfTheDay()})`)
  expect(differences).toEqual([])
  engine.close()
})
