import { HitherError } from '../errors.ts'
import { checkNames, ownOf } from '../protocol/arguments.ts'
import { fromBase64, toBase64 } from '../protocol/base64.ts'
import type { Codec } from '../protocol/codec.ts'
import { randomBytes } from '../runtime/random.ts'
import { checkCodec, json } from './json.ts'

export interface EncryptionKey {
  /** Stored with each entry: letters, digits, `_` and `-`. */
  readonly id: string
  /** At least 32 random bytes, or their base64. */
  readonly secret: Uint8Array | string
}

export interface EncryptedOptions {
  /**
   * The first key encrypts, all keys decrypt; an id that is there twice throws `INVALID_ARGUMENT`. To rotate, put a new key
   * first, and remove the old key when its entries have expired.
   */
  readonly keys: readonly EncryptionKey[]
  /** The codec whose text is encrypted. @default json */
  readonly codec?: Codec
}

const IV_BYTES = 12
const SECRET_BYTES = 32

/**
 * Encrypts values by AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce, under a key derived from the secret by
 * HKDF-SHA-256 (RFC 5869). The stored key is authenticated with the value: an entry that was copied to another key, altered, or
 * encrypted with an unknown secret is a miss and an event. One secret is good for 2^32 writes.
 */
export function encrypted(options: EncryptedOptions): Codec {
  checkNames('encrypted', options, ['keys', 'codec'])
  if (!Array.isArray(options?.keys) || options.keys.some((key) => typeof key?.id !== 'string')) {
    throw bad('encrypted() takes { keys: [{ id, secret }] }, the current key first')
  }
  const { codec = json } = ownOf(options)
  checkCodec(codec)
  for (const key of options.keys) checkNames('a key of encrypted', key, ['id', 'secret'])
  const keys = new Map(options.keys?.map(({ id, secret }) => [id, secretOf(id, secret)]))
  if (keys.size < (options.keys?.length ?? 0)) throw bad('each key of encrypted() has an id of its own')
  const [current] = keys.keys()
  if (current === undefined) throw bad('encrypted() needs at least one key')
  const derived = new Map<string, Promise<CryptoKey>>()
  const keyOf = (id: string): Promise<CryptoKey> => {
    const secret = keys.get(id)
    if (!secret) throw new SyntaxError('unknown key id')
    let key = derived.get(id)
    if (!key) {
      key = derive(secret)
      derived.set(id, key)
    }
    return key
  }
  const params = (iv: Uint8Array<ArrayBuffer>, id: string, key: string): AesGcmParams => ({
    name: 'AES-GCM',
    iv,
    additionalData: new TextEncoder().encode(`hither 1 ${id} ${key}`),
  })
  return {
    mark: 'E',
    async encode(value, key) {
      const text = await codec.encode(value, key)
      const iv = randomBytes(IV_BYTES)
      const sealed = await crypto.subtle.encrypt(
        params(iv, current, key),
        await keyOf(current),
        new TextEncoder().encode(text),
      )
      const out = new Uint8Array(IV_BYTES + sealed.byteLength)
      out.set(iv)
      out.set(new Uint8Array(sealed), IV_BYTES)
      return `${current}.${toBase64(out)}`
    },
    async decode(text, key) {
      const dot = text.indexOf('.')
      const id = text.slice(0, dot)
      const bytes = fromBase64(text.slice(dot + 1))
      const secret = await keyOf(id)
      const open = await crypto.subtle.decrypt(params(bytes.slice(0, IV_BYTES), id, key), secret, bytes.slice(IV_BYTES))
      return codec.decode(new TextDecoder('utf-8', { fatal: true }).decode(open), key)
    },
  }
}

function secretOf(id: string, secret: Uint8Array | string): Uint8Array<ArrayBuffer> {
  if (!/^[\w-]+$/.test(id)) throw bad('a key id is made of letters, digits, _ and -')
  let bytes: Uint8Array<ArrayBuffer> | undefined
  try {
    bytes = typeof secret === 'string' ? fromBase64(secret) : new Uint8Array(secret)
  } catch {
    // Reported below, without the text of the secret.
  }
  if (bytes && bytes.length >= SECRET_BYTES) return bytes
  throw bad(`each key is at least ${SECRET_BYTES} random bytes, or their base64`)
}

async function derive(secret: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  const base = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveKey'])
  const params = {
    name: 'HKDF',
    hash: 'SHA-256',
    salt: new Uint8Array(0),
    info: new TextEncoder().encode('hither cache value'),
  }
  return crypto.subtle.deriveKey(params, base, { name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
}

function bad(message: string): HitherError {
  return new HitherError('INVALID_ARGUMENT', message)
}
