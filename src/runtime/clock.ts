import { onAbort } from './abort.ts'

/** The instant at which something without an end ends. */
export const NEVER: number = 1 / 0

/** Epoch milliseconds by the wall clock. */
export function now(): number {
  return Date.now()
}

/** The time at which a timer that was due at `dueMs` fires: the wall clock's, or `dueMs` if the wall clock was set back meanwhile. */
export function firedAt(dueMs: number): number {
  const at = now()
  return dueMs - at > 1000 ? dueMs : at
}

/** Milliseconds since some instant, by a clock that is never set. */
export function elapsedMs(): number {
  return performance.now()
}

/** Calls `fn` once after `ms` milliseconds; the returned function cancels it. */
export function setTimer(fn: () => void, ms: number): () => void {
  const id: unknown = setTimeout(fn, Math.min(Math.max(ms, 0), 2 ** 31 - 1))
  return () => clearTimeout(id as number)
}

/** As `setTimer`, but the timer keeps no process alive where the runtime can do that (`unref`). */
export function setQuietTimer(fn: () => void, ms: number): () => void {
  const id: unknown = setTimeout(fn, Math.min(Math.max(ms, 0), 2 ** 31 - 1))
  ;(id as { unref?(): void }).unref?.()
  return () => clearTimeout(id as number)
}

/**
 * How long `setDeadline` waits at most, past the deadline, for commands and replies that a stall of the event loop has delayed,
 * in milliseconds.
 */
export const STALL_GRACE_MS = 50

/**
 * As `timer`, for the deadline of a call. After a stall of the event loop a timer fires before the sockets are read. So `fn` is
 * called one turn of the loop later, and a reply that has arrived still counts. A reply may take several turns from the socket
 * to here (`fetch`), so `fn` is delayed by as long as the timer was late, up to `graceMs`.
 */
export function setDeadline(
  fn: () => void,
  ms: number,
  graceMs: number = STALL_GRACE_MS,
  timer: typeof setTimer = setTimer,
): () => void {
  const dueMs = now() + ms
  let cancel = timer(() => {
    cancel = setTimer(fn, Math.min(now() - dueMs, graceMs))
  }, ms)
  return () => cancel()
}

/** Resolves after `ms` milliseconds; rejects with the signal's reason when it aborts first. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    let forget: (() => void) | undefined
    const end = (): void => {
      cancel()
      forget?.()
      if (signal?.aborted) reject(signal.reason)
      else resolve()
    }
    const cancel = setTimer(end, ms)
    if (signal?.aborted) end()
    else forget = signal && onAbort(signal, end)
  })
}
