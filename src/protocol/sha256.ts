/**
 * SHA-256 (FIPS 180-4) and HMAC (RFC 2104) without a promise. For texts of a line or two: WebCrypto hands each to another
 * thread and back, which costs more than all else a request does, and parts calls that would have left in one tick. No step
 * depends on the bytes that are hashed, in its order or in the memory it reads.
 */

/** The words of a state, or of the schedule of one block. */
type Words = Int32Array<ArrayBuffer>
const BLOCK = 64

let constants: { readonly first: Words; readonly rounds: Words } | undefined

/** The fractions of the roots of the first primes. Made with the first hash, not as the module loads. */
function rootsOfPrimes(): { readonly first: Words; readonly rounds: Words } {
  const [first, rounds] = [new Int32Array(8), new Int32Array(64)]
  const primes: number[] = []
  for (let n = 2; primes.length < 64; n++) {
    if (primes.some((prime) => n % prime === 0)) continue
    const i = primes.push(n) - 1
    if (i < 8) first[i] = fraction(Math.sqrt(n))
    rounds[i] = fraction(Math.cbrt(n))
  }
  return { first, rounds }
}

function fraction(root: number): number {
  return (root % 1) * 2 ** 32
}

const schedule = new Int32Array(64)

/** Takes the block at `at` into a state. */
function compress(state: Words, block: DataView, at: number, rounds: Words): void {
  const w = schedule
  for (let i = 0; i < 16; i++) w[i] = block.getInt32(at + i * 4)
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15] as number
    const y = w[i - 2] as number
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10)
    w[i] = (w[i - 16] as number) + s0 + (w[i - 7] as number) + s1
  }
  let a = state[0] as number
  let b = state[1] as number
  let c = state[2] as number
  let d = state[3] as number
  let e = state[4] as number
  let f = state[5] as number
  let g = state[6] as number
  let h = state[7] as number
  for (let i = 0; i < 64; i++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + (rounds[i] as number) + (w[i] as number)) | 0
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + t2) | 0
  }
  const sums = [a, b, c, d, e, f, g, h]
  for (let i = 0; i < 8; i++) state[i] = (state[i] as number) + (sums[i] as number)
}

/** The state after `bytes`, which follow `before`, a state that one whole block has led to; else the first. */
function hash(bytes: Uint8Array, before?: Words): Words {
  constants ??= rootsOfPrimes()
  const { first, rounds } = constants
  const state = (before ?? first).slice()
  // One bit, zeros, and the length in bits as the last two words.
  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / BLOCK) * BLOCK)
  padded.set(bytes)
  padded[bytes.length] = 128
  const view = new DataView(padded.buffer)
  const bits = (bytes.length + (before ? BLOCK : 0)) * 8
  view.setUint32(padded.length - 8, bits / 2 ** 32)
  view.setUint32(padded.length - 4, bits)
  for (let at = 0; at < padded.length; at += BLOCK) compress(state, view, at, rounds)
  return state
}

function bytesOf(state: Words): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(32)
  const view = new DataView(bytes.buffer)
  for (let i = 0; i < 8; i++) view.setInt32(i * 4, state[i] as number)
  return bytes
}

/** The 32 bytes of SHA-256. */
export function sha256(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytesOf(hash(bytes))
}

/** HMAC-SHA-256 under one key, whose own two blocks are hashed once. */
export function hmacSha256(key: Uint8Array): (message: Uint8Array) => Uint8Array<ArrayBuffer> {
  const short = key.length > BLOCK ? sha256(key) : key
  const stateOf = (pad: number): Words => {
    constants ??= rootsOfPrimes()
    const state = constants.first.slice()
    const block = Uint8Array.from({ length: BLOCK }, (_, i) => (short[i] ?? 0) ^ pad)
    compress(state, new DataView(block.buffer), 0, constants.rounds)
    return state
  }
  const [inner, outer] = [stateOf(0x36), stateOf(0x5c)]
  return (message) => bytesOf(hash(bytesOf(hash(message, inner)), outer))
}
