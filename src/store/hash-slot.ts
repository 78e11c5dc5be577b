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
