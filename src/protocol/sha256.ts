/**
 * SHA-256 (FIPS 180-4) and HMAC (RFC 2104) of text, without a promise. For a line or two: WebCrypto passes each hash to another
 * thread and back, which costs more than everything else that a request does, and separates calls that would have been sent in
 * one tick. Neither the order of the steps nor the memory they read depends on the data. Nothing is awaited, so all calls share
 * the same working memory.
 */

/** The words of a state, or of the schedule of one block. */
type Words = Int32Array<ArrayBuffer>

const BLOCK = 64
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const utf8 = new TextEncoder()
const state = new Int32Array(8)
const w = new Int32Array(64)
let scratch = new DataView(new ArrayBuffer(4 * BLOCK))
let constants: readonly [first: Words, rounds: Words] | undefined

/** The fractions of the roots of the first primes. They are computed with the first hash, not when the module loads. */
function rootsOfPrimes(): readonly [first: Words, rounds: Words] {
  const [first, rounds] = [new Int32Array(8), new Int32Array(64)]
  const primes: number[] = []
  for (let n = 2; primes.length < 64; n++) {
    if (primes.some((prime) => n % prime === 0)) continue
    const i = primes.push(n) - 1
    if (i < 8) first[i] = (Math.sqrt(n) % 1) * 2 ** 32
    rounds[i] = (Math.cbrt(n) % 1) * 2 ** 32
  }
  return [first, rounds]
}

/** Hashes the block of `scratch` at `at` into `state`. */
function compress(at: number, k: Words): void {
  for (let i = 0; i < 16; i++) w[i] = scratch.getInt32(at + i * 4)
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15] as number
    const y = w[i - 2] as number
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10)
    w[i] = (w[i - 16] as number) + s0 + (w[i - 7] as number) + s1
  }
  // Read one by one: V8 takes far longer for a block where they are destructured from an array literal.
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
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + (k[i] as number) + (w[i] as number)) | 0
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = (t1 + s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    // a becomes b, and so on.
    const next = d
    d = c
    c = b
    b = a
    a = next
  }
  state[0] = (state[0] as number) + a
  state[1] = (state[1] as number) + b
  state[2] = (state[2] as number) + c
  state[3] = (state[3] as number) + d
  state[4] = (state[4] as number) + e
  state[5] = (state[5] as number) + f
  state[6] = (state[6] as number) + g
  state[7] = (state[7] as number) + h
}

/**
 * Hashes the first `length` bytes of `scratch` into `state`, starting from the state `before`, to which `earlier` bytes have
 * led.
 */
function hash(length: number, before: Words, earlier: number): void {
  const end = Math.ceil((length + 9) / BLOCK) * BLOCK
  // The padding: one bit, zeros, and the length in bits as the last two words.
  for (let at = length; at < end; at++) scratch.setUint8(at, at === length ? 128 : 0)
  const bits = (earlier + length) * 8
  scratch.setUint32(end - 8, bits / 2 ** 32)
  scratch.setUint32(end - 4, bits)
  state.set(before)
  for (let at = 0; at < end; at += BLOCK) compress(at, roots()[1])
}

function roots(): readonly [first: Words, rounds: Words] {
  constants ??= rootsOfPrimes()
  return constants
}

/** Writes text into `scratch`, which grows for it. Returns its number of bytes in UTF-8. */
function load(text: string): number {
  const most = text.length * 3 + BLOCK + 9
  if (most > scratch.byteLength) scratch = new DataView(new ArrayBuffer(most))
  return utf8.encodeInto(text, new Uint8Array(scratch.buffer)).written
}

/** `state` as 43 characters of base64url. */
function stateText(): string {
  let text = ''
  let held = 0
  let bits = 0
  for (let at = 0; at < 32; at++) {
    held = (held << 8) | (((state[at >> 2] as number) >>> (24 - (at & 3) * 8)) & 255)
    for (bits += 8; bits >= 6; ) {
      bits -= 6
      text += DIGITS[(held >>> bits) & 63]
    }
  }
  return text + DIGITS[(held << 2) & 63]
}

/** SHA-256 of text, as 43 characters of base64url. */
export function sha256(text: string): string {
  hash(load(text), roots()[0], 0)
  return stateText()
}

/** SHA-256 of text, as 64 characters of lower-case hex. */
export function sha256Hex(text: string): string {
  hash(load(text), roots()[0], 0)
  return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
}

/** The HMAC-SHA-256 of text under this key, as 43 characters of base64url. The two blocks of the key are hashed only once. */
export function hmacSha256(key: Uint8Array): (text: string) => string {
  const [first, rounds] = roots()
  let short = key
  if (key.length > BLOCK) {
    if (key.length + BLOCK + 9 > scratch.byteLength) scratch = new DataView(new ArrayBuffer(key.length + BLOCK + 9))
    new Uint8Array(scratch.buffer).set(key)
    hash(key.length, first, 0)
    short = Uint8Array.from({ length: 32 }, (_, at) => (state[at >> 2] as number) >>> (24 - (at & 3) * 8))
  }
  const stateOf = (pad: number): Words => {
    for (let at = 0; at < BLOCK; at++) scratch.setUint8(at, (short[at] ?? 0) ^ pad)
    state.set(first)
    compress(0, rounds)
    return state.slice()
  }
  const [inner, outer] = [stateOf(0x36), stateOf(0x5c)]
  return (text) => {
    hash(load(text), inner, BLOCK)
    for (let i = 0; i < 8; i++) scratch.setInt32(i * 4, state[i] as number)
    hash(32, outer, BLOCK)
    return stateText()
  }
}
