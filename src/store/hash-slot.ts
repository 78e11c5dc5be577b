const encoder = new TextEncoder()

/** The hash slot of a key: CRC16 (XMODEM) of its first non-empty `{tag}`, or of all of it, modulo 16,384. */
export function slotOf(key: string | Uint8Array): number {
  const bytes = typeof key === 'string' ? encoder.encode(key) : key
  let start = 0
  let end = bytes.length
  const open = bytes.indexOf(123)
  const close = open < 0 ? -1 : bytes.indexOf(125, open + 1)
  if (close > open + 1) {
    start = open + 1
    end = close
  }
  let crc = 0
  for (let i = start; i < end; i++) {
    let x = (crc >> 8) ^ (bytes[i] as number)
    x ^= x >> 4
    crc = ((crc << 8) ^ (x << 12) ^ (x << 5) ^ x) & 0xffff
  }
  return crc & 16383
}

/** Index of the first key in the `args` of a command, if it is not the first argument. */
const places: Readonly<Record<string, number>> = {
  EVAL: 3,
  EVALSHA: 3,
  EVAL_RO: 3,
  EVALSHA_RO: 3,
  FCALL: 3,
  FCALL_RO: 3,
  BLMPOP: 3,
  BZMPOP: 3,
  BITOP: 2,
  LMPOP: 2,
  MEMORY: 2,
  OBJECT: 2,
  SINTERCARD: 2,
  XGROUP: 2,
  XINFO: 2,
  ZDIFF: 2,
  ZINTER: 2,
  ZINTERCARD: 2,
  ZMPOP: 2,
  ZUNION: 2,
}

/**
 * The first key of a command, which decides its node of a Cluster; `''` if it has none. For a command that is not listed
 * above it is a guess, the first argument: a node that does not serve that key redirects to the one that does.
 */
export function firstKey(args: readonly (string | number | Uint8Array)[]): string | Uint8Array {
  const name = args[0] as string
  const streams = name === 'XREAD' || name === 'XREADGROUP'
  const place = streams ? args.findIndex((arg) => /^streams$/i.test(String(arg))) + 1 : (places[name] ?? 1)
  const key = args[place]
  return key instanceof Uint8Array ? key : String(key ?? '')
}
