interface Waiting {
  readonly calls: Set<() => void>
  readonly stop: () => void
}

const waiting = new WeakMap<AbortSignal, Waiting>()

/**
 * Calls `call` once the signal aborts, unless the returned function was called before. All calls on a signal share one
 * listener: Node warns about more than ten, and the view of a request may have thousands of calls under way.
 */
export function onAbort(signal: AbortSignal, call: () => void): () => void {
  let shared = waiting.get(signal)
  if (!shared) {
    const calls = new Set<() => void>()
    const fire = (): void => {
      waiting.delete(signal)
      signal.removeEventListener('abort', fire)
      for (const each of [...calls]) each()
    }
    signal.addEventListener('abort', fire)
    shared = { calls, stop: () => signal.removeEventListener('abort', fire) }
    waiting.set(signal, shared)
  }
  const { calls, stop } = shared
  // The same function may be passed more than once.
  const own = (): void => call()
  calls.add(own)
  return () => {
    if (!calls.delete(own) || calls.size > 0 || !waiting.has(signal)) return
    waiting.delete(signal)
    stop()
  }
}
