/** A thread of `play`: plays the seeds it is sent, several at a time, and posts each outcome. */
import { parentPort, workerData } from 'node:worker_threads'
import { bootOf } from './build.ts'
import { simulate } from './simulate.ts'

/** Seeds played at a time. Their events share the turns of the event loop. */
const AT_ONCE = 8

const { code, seeds } = workerData as { readonly code: string; readonly seeds: readonly number[] }
const boot = bootOf(code)
Error.stackTraceLimit = 0
let next = 0
const lane = async (): Promise<void> => {
  while (next < seeds.length) {
    const outcome = await simulate(seeds[next++] as number, boot)
    parentPort?.postMessage(outcome)
  }
}
await Promise.all(Array.from({ length: AT_ONCE }, lane))
