import { random } from './random.ts'

/** Longest wait between two attempts to connect, in milliseconds: a server that is back is used again within half a second. */
const MAX_RECONNECT_MS = 400

/**
 * Milliseconds to wait after so many failed attempts in a row: doubled each time, with jitter so that clients do not all return
 * at once.
 */
export function reconnectDelay(failures: number): number {
  return Math.ceil(random() * Math.min(50 * 2 ** failures, MAX_RECONNECT_MS))
}

/** A random time between half of `ms` and one and a half times `ms`. */
export function jittered(ms: number): number {
  return ms * (0.5 + random())
}
