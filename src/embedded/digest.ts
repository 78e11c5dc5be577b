/** Synchronous SHA-1 and SHA-256 over strings with one unit a byte. The platform's digests resolve too late for a reply. */

const rotateLeft = (value: number, by: number): number => (value << by) | (value >>> (32 - by))
const rotateRight = (value: number, by: number): number => (value >>> by) | (value << (32 - by))
const hex = (words: readonly number[]): string =>
  words.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('')

/** The message as words of 32 bits, with padding and its length at the end. */
function padded(message: string): Int32Array {
  const words = new Int32Array(((message.length + 8) >> 6) * 16 + 16)
  for (let i = 0; i < message.length; i++) {
    words[i >> 2] = (words[i >> 2] as number) | (message.charCodeAt(i) << (24 - (i & 3) * 8))
  }
  const end = message.length
  words[end >> 2] = (words[end >> 2] as number) | (0x80 << (24 - (end & 3) * 8))
  words[words.length - 2] = Math.floor(end / 0x20000000)
  words[words.length - 1] = end << 3
  return words
}

export function sha1(message: string): string {
  const words = padded(message)
  const state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0]
  const w = new Int32Array(80)
  for (let block = 0; block < words.length; block += 16) {
    let [a, b, c, d, e] = state as [number, number, number, number, number]
    for (let t = 0; t < 80; t++) {
      w[t] =
        t < 16
          ? (words[block + t] as number)
          : rotateLeft((w[t - 3] as number) ^ (w[t - 8] as number) ^ (w[t - 14] as number) ^ (w[t - 16] as number), 1)
      const [f, k] =
        t < 20
          ? [(b & c) | (~b & d), 0x5a827999]
          : t < 40
            ? [b ^ c ^ d, 0x6ed9eba1]
            : t < 60
              ? [(b & c) | (b & d) | (c & d), 0x8f1bbcdc]
              : [b ^ c ^ d, 0xca62c1d6]
      const next = (rotateLeft(a, 5) + f + e + k + (w[t] as number)) | 0
      e = d
      d = c
      c = rotateLeft(b, 30)
      b = a
      a = next
    }
    ;[a, b, c, d, e].forEach((value, i) => {
      state[i] = ((state[i] as number) + value) | 0
    })
  }
  return hex(state)
}

/** The first 32 bits of the fractional part of a root of each of the first `count` primes. */
const roots = (count: number, power: number): number[] => {
  const found: number[] = []
  for (let n = 2; found.length < count; n++) {
    let isPrime = true
    for (let d = 2; d * d <= n; d++) if (n % d === 0) isPrime = false
    if (isPrime) found.push(((n ** power % 1) * 2 ** 32) | 0)
  }
  return found
}

export function sha256(message: string): string {
  const k = roots(64, 1 / 3)
  const state = roots(8, 1 / 2)
  const words = padded(message)
  const w = new Int32Array(64)
  for (let block = 0; block < words.length; block += 16) {
    let [a, b, c, d, e, f, g, h] = state as [number, number, number, number, number, number, number, number]
    for (let t = 0; t < 64; t++) {
      if (t < 16) w[t] = words[block + t] as number
      else {
        const [x, y] = [w[t - 15] as number, w[t - 2] as number]
        const s0 = rotateRight(x, 7) ^ rotateRight(x, 18) ^ (x >>> 3)
        const s1 = rotateRight(y, 17) ^ rotateRight(y, 19) ^ (y >>> 10)
        w[t] = ((w[t - 16] as number) + s0 + (w[t - 7] as number) + s1) | 0
      }
      const s1 = rotateRight(e, 6) ^ rotateRight(e, 11) ^ rotateRight(e, 25)
      const one = (h + s1 + ((e & f) ^ (~e & g)) + (k[t] as number) + (w[t] as number)) | 0
      const s0 = rotateRight(a, 2) ^ rotateRight(a, 13) ^ rotateRight(a, 22)
      const two = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
      h = g
      g = f
      f = e
      e = (d + one) | 0
      d = c
      c = b
      b = a
      a = (one + two) | 0
    }
    ;[a, b, c, d, e, f, g, h].forEach((value, i) => {
      state[i] = ((state[i] as number) + value) | 0
    })
  }
  return hex(state)
}
