import { soon } from './per-tick.ts'

/** A float in [0, 1). For jitter only. */
export function random(): number {
  return Math.random()
}

/** `length` bytes from the platform's secure source. */
export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length))
}

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const ID_BYTES = 12
/** The platform takes as long for 32 ids as for one. */
const pool = new Uint8Array(32 * ID_BYTES)
let left = 0
// Bytes that are left are dropped after the run of microtasks: when an idle process is copied with its memory, the copies must
// not create the same ids.
const forget = (): void => {
  left = 0
}

/** 96 random bits as 16 characters of base64url, from the platform's secure source. */
export function randomId(): string {
  if (left === 0) {
    crypto.getRandomValues(pool)
    left = pool.length
    soon(forget)
  }
  let id = ''
  for (const end = left - ID_BYTES; left > end; left -= 3) {
    const bits = ((pool[left - 1] as number) << 16) | ((pool[left - 2] as number) << 8) | (pool[left - 3] as number)
    id += LETTERS[bits >> 18] as string
    id += LETTERS[(bits >> 12) & 63] as string
    id += LETTERS[(bits >> 6) & 63] as string
    id += LETTERS[bits & 63] as string
  }
  return id
}
