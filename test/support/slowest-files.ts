import type { Reporter, TestModule } from 'vitest/node'
import { seedOfTheDay } from './seed.ts'

const SHOWN = 10

/** Prints the seed of the random histories, and at the end the files that took longest, in seconds. */
export default class SlowestFiles implements Reporter {
  onInit(): void {
    console.log(`Random histories start from seed ${seedOfTheDay()} (HITHER_SEED sets it)`)
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    if (modules.length < SHOWN) return
    const took = modules.map((module) => {
      const { prepareDuration, environmentSetupDuration, collectDuration, setupDuration, duration } =
        module.diagnostic()
      const ms = prepareDuration + environmentSetupDuration + collectDuration + setupDuration + duration
      return { name: `${module.project.name} ${module.relativeModuleId}`, ms }
    })
    took.sort((a, b) => b.ms - a.ms)
    console.log(`\nThe slowest ${SHOWN} of ${took.length} files, in seconds`)
    for (const { name, ms } of took.slice(0, SHOWN)) console.log(`${(ms / 1000).toFixed(1).padStart(7)}  ${name}`)
  }
}
