/**
 * Compares the engine with a Redis 8 on random histories of `--total` commands in all.
 *
 *   node --import ./scripts/from-source.ts test/embedded/run.ts [--total 100000] [--seed 1] [--group hash] [--only XADD]
 */
import { parseArgs } from 'node:util'
import { lua } from '../../adapters/lua/index.ts'
import { startServer } from '../../scripts/servers.ts'
import { Engine } from '../../src/embedded/index.ts'
import { comparable, compare } from './support/compare.ts'
import { readGrammars } from './support/grammar.ts'

const { values } = parseArgs({
  options: {
    total: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    group: { type: 'string', default: '' },
    only: { type: 'string', default: '' },
    most: { type: 'string', default: '12' },
    url: { type: 'string', default: '' },
    talks: { type: 'boolean', default: false },
    brief: { type: 'boolean', default: false },
  },
})

const server = values.url ? undefined : await startServer('redis8', { args: ['--hz', '500'] })
const url = values.url || (server?.url as string)
const engine = new Engine({ lua })
const all = comparable(await readGrammars(url), engine, values.group)
const grammars = values.only ? all.filter(({ words }) => values.only.split(',').includes(words[0] as string)) : all
const started = performance.now()
const { commands, errors, perCommand, differences } = await compare(url, engine, grammars, {
  seed: Number(values.seed),
  total: Number(values.total),
  talks: values.talks,
  most: Number(values.most),
})
const shown = (args: readonly string[]): string => args.map((arg) => JSON.stringify(arg)).join(' ')
for (const { seed, args, engine: own, redis, before } of differences) {
  console.log(`seed ${seed}: ${shown(args)}\n  engine ${JSON.stringify(own)}\n  redis  ${JSON.stringify(redis)}`)
  if (!values.brief) for (const one of before) console.log(`    after ${shown(one)}`)
}
const seconds = ((performance.now() - started) / 1000).toFixed(1)
console.log(
  `${commands} commands of ${perCommand.size} names, ${errors} of them errors, ${differences.length} differences, ${seconds} s`,
)
engine.close()
await server?.stop()
