import { explain, fail } from './fail.ts'

/** The first signal calls `stop`; a second ends the process at once. If `stop` rejects, prints why and exits with code 2. */
export function stopOnSignals(stop: () => Promise<void>): void {
  let stopping = false
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(1)
      stopping = true
      stop().then(
        () => process.exit(0),
        (error: unknown) => fail(explain(error)),
      )
    })
  }
}
