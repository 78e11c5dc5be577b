import { lua } from 'hither/lua'
import { expect, it } from 'vitest'
import { Engine } from '../../src/embedded/index.ts'
import { rounds } from '../support/rounds.ts'
import { seedOfTheDay } from '../support/seed.ts'
import { comparable, compare } from './support/compare.ts'
import { readGrammars } from './support/grammar.ts'

const url = process.env.REDIS8_URL ?? ''
const TOTAL = Number(process.env.HITHER_COMMANDS ?? rounds({ quick: 4000, soak: 1_000_000 }))
/** Seed of the day: no two days share a history. A history is 100 commands, so a day has seeds for 1,000,000 commands. */
const SEED = seedOfTheDay() * 10_000

it('answers random histories as a Redis 8 does, but for what is written in support/allowed.ts', async () => {
  const engine = new Engine({ lua })
  const grammars = comparable(await readGrammars(url), engine)
  const { commands, errors, differences } = await compare(url, engine, grammars, { seed: SEED, total: TOTAL })
  console.log(`compared ${commands} commands of ${grammars.length} grammars, ${errors} of them errors`)
  expect(differences).toEqual([])
  engine.close()
}, 3_600_000)
