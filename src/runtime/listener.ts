/** Calls a listener. An error that it throws or rejects with is ignored. */
export function tell<E>(listener: ((event: E) => unknown) | undefined, event: E): void {
  try {
    const done = listener?.(event)
    if (done instanceof Promise) done.catch(() => {})
  } catch {
    // Ignored, as said above.
  }
}
