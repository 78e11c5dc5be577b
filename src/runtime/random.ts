/** A float in [0, 1). For jitter only. */
export function random(): number {
  return Math.random()
}

/** `length` bytes from the platform's secure source. */
export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length))
}

/** 96 random bits as 24 hexadecimal digits, from the platform's secure source. */
export function randomId(): string {
  let id = ''
  for (const byte of randomBytes(12)) id += byte.toString(16).padStart(2, '0')
  return id
}
