/** A float in [0, 1). For jitter only. */
export function random(): number {
  return Math.random()
}

/** `length` bytes from the platform's secure source. */
export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length))
}

/** 96 random bits as 16 characters of base64url, from the platform's secure source. */
export function randomId(): string {
  return btoa(String.fromCharCode(...randomBytes(12)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
}
