import { type Limit, within } from '../../src/runtime/deadline.ts'

/**
 * Keeps the calls on a key in call order, which the server does not. Reads run side by side; a write runs after all calls
 * before it.
 */
export interface Turns {
  /** Rejects if the limit is reached while the call waits; `work` is then not run. */
  run<T>(key: string, writes: boolean, limit: Limit, work: () => Promise<T>): Promise<T>
}

interface Line {
  /** The end of the last write, if it has not ended. */
  write: Promise<unknown> | undefined
  /** Ends of the reads since that write. */
  readonly reads: Set<Promise<unknown>>
}

export function createTurns(): Turns {
  const lines = new Map<string, Line>()
  return {
    run(key, writes, limit, work) {
      const line = lines.get(key) ?? { write: undefined, reads: new Set() }
      const before = writes ? [line.write, ...line.reads] : [line.write]
      const isFirst = before.every((each) => each === undefined)
      const waited = isFirst ? undefined : Promise.all(before)
      const turn = waited ? within(waited, limit).then(work) : work()
      // A caller that gives up must not let later calls overtake the calls it was waiting for.
      const end: Promise<unknown> = Promise.all([waited, turn.then(ignore, ignore)]).then(() => {
        line.reads.delete(end)
        if (line.write === end) line.write = undefined
        if (!line.write && line.reads.size === 0 && lines.get(key) === line) lines.delete(key)
      })
      if (writes) {
        line.write = end
        line.reads.clear()
      } else line.reads.add(end)
      lines.set(key, line)
      return turn
    },
  }
}

const ignore = (): void => {}
