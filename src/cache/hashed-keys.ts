/** FIPS 180-4: the first 32 bits of the fractions of the square roots of the first 8 primes. */
const START = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19]
let constants: Int32Array | undefined

/** The first 32 bits of the fractions of the cube roots of the first 64 primes. */
function rounds(): Int32Array {
  const all = new Int32Array(64)
  for (let n = 2, count = 0; count < 64; n++) {
    let isPrime = true
    for (let divisor = 2; divisor * divisor <= n; divisor++) isPrime &&= n % divisor !== 0
    if (isPrime) all[count++] = (Math.cbrt(n) % 1) * 2 ** 32
  }
  return all
}

/** SHA-256 of UTF-8 text, in lower-case hex. Its own, since the platform's answers later, and a key is needed at once. */
function sha256(text: string): string {
  constants ??= rounds()
  const k = constants
  const bytes = new TextEncoder().encode(text)
  const padded = new Uint8Array((((bytes.length + 8) >> 6) << 6) + 64)
  padded.set(bytes)
  padded[bytes.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 2 ** 29))
  view.setUint32(padded.length - 4, bytes.length << 3)
  const state = Int32Array.from(START)
  const w = new Int32Array(64)
  const turn = (word: number, by: number): number => (word >>> by) | (word << (32 - by))
  for (let at = 0; at < padded.length; at += 64) {
    for (let i = 0; i < 16; i++) w[i] = view.getInt32(at + 4 * i)
    for (let i = 16; i < 64; i++) {
      const far = w[i - 15] as number
      const near = w[i - 2] as number
      const small = turn(far, 7) ^ turn(far, 18) ^ (far >>> 3)
      const large = turn(near, 17) ^ turn(near, 19) ^ (near >>> 10)
      w[i] = (w[i - 16] as number) + small + (w[i - 7] as number) + large
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
      const choice = (e & f) ^ (~e & g)
      const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + choice + (k[i] as number) + (w[i] as number)) | 0
      const most = (a & b) ^ (a & c) ^ (b & c)
      const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + most) | 0
      h = g
      g = f
      f = e
      e = (d + one) | 0
      d = c
      c = b
      b = a
      a = (one + two) | 0
    }
    const words = [a, b, c, d, e, f, g, h]
    for (let i = 0; i < 8; i++) state[i] = (state[i] as number) + (words[i] as number)
  }
  return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
}

/**
 * For `longKeys`: a key that is longer than the store takes is replaced by its SHA-256, 64 characters. Two keys meet only
 * where their digests do, and no shorter key meets one.
 */
export function hashed(): (key: string) => string {
  let last = ''
  let digest = ''
  return (key) => {
    // One call asks more than once.
    if (key !== last || !digest) digest = sha256(key)
    last = key
    return digest
  }
}

/** For `eventKeys`: the first 8 digits of a key's SHA-256. Whoever guesses a key can tell by it: it hides none. */
export function shortHash(): (key: string) => string {
  const hash = hashed()
  return (key) => hash(key).slice(0, 8)
}
