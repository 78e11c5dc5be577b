/** The instant of what has no end. */
export const NEVER: number = 1 / 0

/** Epoch milliseconds by the wall clock. */
export function now(): number {
  return Date.now()
}

/** Milliseconds from an arbitrary start, which no change of the wall clock moves: for lengths of time in this process. */
export function monotonic(): number {
  return performance.now()
}

/** Calls `fn` once after `ms` milliseconds; the returned function cancels it. */
export function setTimer(fn: () => void, ms: number): () => void {
  const id: unknown = setTimeout(fn, Math.min(Math.max(ms, 0), 2 ** 31 - 1))
  return () => clearTimeout(id as number)
}

/** As `setTimer`, but keeps no process alive where the runtime lets a timer be told so. */
export function setQuietTimer(fn: () => void, ms: number): () => void {
  const id: unknown = setTimeout(fn, Math.min(Math.max(ms, 0), 2 ** 31 - 1))
  ;(id as { unref?(): void }).unref?.()
  return () => clearTimeout(id as number)
}

/** Resolves after `ms` milliseconds; rejects with the signal's reason when it aborts first. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      cancel()
      signal?.removeEventListener('abort', end)
      if (signal?.aborted) reject(signal.reason)
      else resolve()
    }
    const cancel = setTimer(end, ms)
    if (signal?.aborted) end()
    else signal?.addEventListener('abort', end)
  })
}
