import { random } from '../../src/runtime/random.ts'

/** Milliseconds to wait after so many failures in a row: a server that is back is used again within half a second. */
export function backoff(failures: number): number {
  return Math.ceil(random() * Math.min(50 * 2 ** failures, 400))
}
