/**
 * `npm run simulate -- --seeds 1000 --from 1`: plays seeds, those that failed before first, and prints the first failure
 * event by event. `--seed 7` prints that seed. Add a seed that fails to `seeds.json`.
 */
import { parseArgs } from 'node:util'
import { explain, play } from './play.ts'
import known from './seeds.json' with { type: 'json' }

const number = { type: 'string' } as const
const { values } = parseArgs({
  options: { seeds: number, from: number, seed: number, threads: number, help: { type: 'boolean' } },
})
if (values.help) console.log('--seeds 1000 --from 1 [--threads 2], or --seed 7: see CONTRIBUTING.md')
else if (values.seed !== undefined) {
  console.log(await explain(Number(values.seed)))
} else {
  const from = Number(values.from ?? 1)
  const seeds = [...known, ...Array.from({ length: Number(values.seeds ?? 1000) }, (_, i) => from + i)]
  const { failures, ms, ...played } = await play(seeds, { threads: Number(values.threads ?? 2) })
  console.log(`${JSON.stringify(played)} in ${(ms / 1000).toFixed(1)} s`)
  for (const { seed, fault } of failures) console.log(`seed ${seed} FAILED: ${fault}`)
  if (failures[0]) {
    console.log(await explain(failures[0].seed))
    process.exitCode = 1
  }
}
