import { Worker } from 'node:worker_threads'
import { bootOf, bundle, type Change } from './build.ts'
import { type Outcome, simulate } from './simulate.ts'

export interface Played {
  readonly failures: readonly Outcome[]
  readonly seeds: number
  readonly calls: number
  readonly events: number
  readonly checks: number
  readonly virtualMinutes: number
  readonly ms: number
  /** How often each situation occurred and was checked. */
  readonly counts: Readonly<Record<string, number>>
}

/** Plays seeds on some threads, up to the first failure; `change`: on a changed source. */
export async function play(
  seeds: readonly number[],
  { threads = 2, change }: { readonly threads?: number; readonly change?: Change | undefined } = {},
): Promise<Played> {
  const began = performance.now()
  const code = await bundle(change)
  const failures: Outcome[] = []
  const counts: Record<string, number> = {}
  const sum = { seeds: 0, calls: 0, events: 0, checks: 0, virtualMinutes: 0 }
  const workers = Array.from({ length: threads }, (_, i) => {
    const own = seeds.filter((_, at) => at % threads === i)
    return new Worker(new URL('./worker.ts', import.meta.url), { workerData: { code, seeds: own } })
  })
  await Promise.all(
    workers.map(
      (worker) =>
        new Promise<void>((resolve, reject) => {
          worker.on('error', reject)
          worker.on('exit', () => resolve())
          worker.on('message', (outcome: Outcome) => {
            sum.seeds++
            sum.calls += outcome.calls
            sum.events += outcome.events
            sum.checks += outcome.checks
            sum.virtualMinutes += outcome.spanMs / 60_000
            for (const [name, count] of Object.entries(outcome.counts)) counts[name] = (counts[name] ?? 0) + count
            if (!outcome.fault) return
            failures.push(outcome)
            for (const each of workers) void each.terminate()
          })
        }),
    ),
  )
  return { ...sum, counts, failures, ms: performance.now() - began }
}

/** Finds the same failure with as few calls as possible, and returns its events. */
export async function explain(seed: number): Promise<string> {
  const boot = bootOf(await bundle())
  let worst = await simulate(seed, boot)
  if (!worst.fault) return `seed ${seed}: all is well`
  for (let step = worst.calls; step >= 1; step = Math.floor(step / 2)) {
    for (;;) {
      const fewer = await simulate(seed, boot, { most: worst.calls - step })
      if (!fewer.fault || fewer.calls >= worst.calls) break
      worst = fewer
    }
  }
  const { fault, trace } = await simulate(seed, boot, { most: worst.calls, tracing: true })
  return `seed ${seed}, ${worst.calls} calls: ${fault}\n${trace.join('\n')}`
}
