/** Tells a listener. What it throws, or rejects with, is its own. */
export function tell<E>(listener: ((event: E) => unknown) | undefined, event: E): void {
  try {
    const done = listener?.(event)
    if (done instanceof Promise) done.catch(() => {})
  } catch {
    // As said.
  }
}
