import { explain, fail } from './fail.ts'

/** The first signal stops it gently, a second at once. What keeps it from stopping well is said, with exit code 2. */
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
