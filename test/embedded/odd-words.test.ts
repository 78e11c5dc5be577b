import { readFileSync } from 'node:fs'
import { lua } from 'hither/lua'
import { expect, it } from 'vitest'
import { Engine } from '../../src/embedded/index.ts'
import { besideRedis } from './support/servers.ts'

// Seldom used options, options that exclude one another, words too many, and the errors of scripts.

const engine = new Engine({ lua })
const { own, theirs } = besideRedis(engine)

/** The commands of `odd-words.txt`, one a line. A word in quotes is JSON. */
const lines = readFileSync(new URL('support/odd-words.txt', import.meta.url), 'utf8')
  .trim()
  .split('\n')
const wordsOf = (line: string): string[] =>
  (line.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? []).map((word) => (word.startsWith('"') ? JSON.parse(word) : word))

it.each(['2', '3'])(
  'answers odd words as a Redis 8 does, in RESP%s',
  async (protocol) => {
    const talk = [['FLUSHALL'], ['FUNCTION', 'FLUSH'], ['HELLO', protocol], ...lines.map(wordsOf)]
    const differences: unknown[] = []
    for (const words of talk) {
      const [[reply], [ours]] = await Promise.all([theirs().ask([words]), own.ask([words])])
      if (words[0] !== 'HELLO' && JSON.stringify(reply) !== JSON.stringify(ours))
        differences.push({ words, redis: reply, engine: ours })
    }
    expect(differences).toEqual([])
  },
  30_000,
)
