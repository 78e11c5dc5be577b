import { describe, expect, it } from 'vitest'
import { toBase64Url } from '../../../src/protocol/digest.ts'
import { hmacSha256, sha256 } from '../../../src/protocol/sha256.ts'

/** In hexadecimal, as the standards print it. */
const hex = (text: string): string =>
  Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) =>
    char.charCodeAt(0).toString(16).padStart(2, '0'),
  ).join('')
const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)
const random = (length: number): Uint8Array<ArrayBuffer> => crypto.getRandomValues(new Uint8Array(length))
/** Letters of one, two, three and four bytes of UTF-8. */
const letters = (length: number): string =>
  Array.from(random(length), (byte) => ['a', 'é', '水', '🙂'][byte % 4]).join('')

describe('SHA-256 without a promise', () => {
  it('is that of the standard', () => {
    expect(hex(sha256(''))).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    expect(hex(sha256('abc'))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
    expect(hex(sha256('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq'))).toBe(
      '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
    )
    expect(hex(sha256('a'.repeat(1_000_000)))).toBe('cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0')
  })
  it('is signed as RFC 4231 says', () => {
    const key = Uint8Array.from({ length: 20 }, () => 0x0b)
    expect(hex(hmacSha256(key)('Hi There'))).toBe('b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7')
    expect(hex(hmacSha256(utf8('Jefe'))('what do ya want for nothing?'))).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    )
    const long = Uint8Array.from({ length: 131 }, () => 0xaa)
    expect(hex(hmacSha256(long)('Test Using Larger Than Block-Size Key - Hash Key First'))).toBe(
      '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
    )
  })
  it('is that of WebCrypto for every length around a block, keys too', async () => {
    const algorithm = { name: 'HMAC', hash: 'SHA-256' }
    for (let length = 0; length < 200; length++) {
      for (const text of ['x'.repeat(length), letters(length)]) {
        const message = utf8(text)
        expect(sha256(text)).toBe(toBase64Url(new Uint8Array(await crypto.subtle.digest('SHA-256', message))))
        const secret = random(length + 1)
        const key = await crypto.subtle.importKey('raw', secret, algorithm, false, ['sign'])
        const signature = new Uint8Array(await crypto.subtle.sign('HMAC', key, message))
        expect(hmacSha256(secret)(text)).toBe(toBase64Url(signature))
      }
    }
  })
  it('does not change what it is given, and one key signs many', () => {
    const key = random(100)
    const before = key.slice()
    const sign = hmacSha256(key)
    const first = sign('one')
    sign(letters(500))
    sha256('two')
    hmacSha256(random(32))('three')
    expect(sign('one')).toBe(first)
    expect(key).toEqual(before)
  })
})
