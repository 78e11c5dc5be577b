import { HitherError } from '../errors.ts'
import { fromBase64 } from '../protocol/base64.ts'
import { toBase64Url } from '../protocol/digest.ts'
import { hmacSha256, sha256 } from '../protocol/sha256.ts'
import { randomBytes } from '../runtime/random.ts'
import { SUBJECT_LENGTH } from './record.ts'

/** The contents of a signed cookie. */
export interface Claim {
  /** 192 random bits, as base64url. */
  readonly id: string
  /** Reference to the subject; '' for none. */
  readonly subject: string
}

export interface CookieSettings {
  readonly name: string
  readonly path: string
  readonly sameSite: 'Lax' | 'Strict'
  readonly secure: boolean
  readonly maxAgeSeconds: number
}

export interface Cookies {
  /** The contents of the first cookie whose signature is valid; undefined if there is none. */
  read(header: string | null): Claim | undefined
  /** A `Set-Cookie` value. */
  write(claim: Claim): string
  /** A `Set-Cookie` value that deletes the cookie. */
  clear(): string
}

const SECRET_BYTES = 32
const ID_LENGTH = 32
const VALUE = /^([\w-]{32})\.([\w-]{22})?\.([\w-]{43})$/
/** Most cookies of the session's name that are checked in one request. */
const MAX_COOKIES = 4

/**
 * Cookies `<id>.<subject>.<signature>`, signed by HMAC-SHA-256 (RFC 2104) over the namespace, the id and the subject. The first
 * secret signs; a signature by any of the secrets is accepted. The prefix `__Host-` keeps other hosts and paths from setting such
 * a cookie (RFC 6265bis, section 4.1.3.2).
 */
export function createCookies(
  secrets: readonly (Uint8Array | string)[],
  namespace: string,
  { name, path, sameSite, secure, maxAgeSeconds }: CookieSettings,
): Cookies {
  const hashes = checkSecrets(secrets).map(hmacSha256)
  const sign = (hash: ReturnType<typeof hmacSha256>, { id, subject }: Claim): string =>
    hash(`hither session ${namespace} ${id}.${subject}`)
  const attributes = `Path=${path}; HttpOnly; SameSite=${sameSite}${secure ? '; Secure' : ''}`

  return {
    read(header) {
      for (const value of valuesOf(header ?? '', name).slice(0, MAX_COOKIES)) {
        const [, id = '', subject = '', signature = ''] = VALUE.exec(value) ?? []
        const claim = { id, subject }
        // Compared as text: several base64url texts decode to the same bytes, and a session would have several cookies.
        if (id && hashes.some((hash) => isSame(sign(hash, claim), signature))) return claim
      }
      return undefined
    },
    write(claim) {
      const [hash] = hashes as [ReturnType<typeof hmacSha256>]
      return `${name}=${claim.id}.${claim.subject}.${sign(hash, claim)}; Max-Age=${maxAgeSeconds}; ${attributes}`
    },
    clear: () => `${name}=; Max-Age=0; ${attributes}`,
  }
}

/** The values of the cookies of one name, in the order in which the client sent them. */
function valuesOf(header: string, name: string): string[] {
  const values: string[] = []
  for (const pair of header.split(';')) {
    const at = pair.indexOf('=')
    if (at > 0 && pair.slice(0, at).trim() === name) values.push(pair.slice(at + 1).trim())
  }
  return values
}

function checkSecrets(secrets: readonly (Uint8Array | string)[]): Uint8Array<ArrayBuffer>[] {
  if (!Array.isArray(secrets) || secrets.length === 0) throw badSecret()
  return secrets.map((secret) => {
    let bytes: Uint8Array<ArrayBuffer> | undefined
    try {
      bytes = typeof secret === 'string' ? fromBase64(secret) : bytesOf(secret)
    } catch {
      // `badSecret` reports it below, without the secret.
    }
    if (!bytes || bytes.length < SECRET_BYTES) throw badSecret()
    return bytes
  })
}

/** Undefined for what is no array of bytes: of a number, or an object with a length, `Uint8Array` makes that many zeros. */
function bytesOf(secret: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  return secret.BYTES_PER_ELEMENT === 1 ? new Uint8Array(secret) : undefined
}

function badSecret(): HitherError {
  return new HitherError(
    'INVALID_ARGUMENT',
    `secrets is a list, the current one first; each is at least ${SECRET_BYTES} random bytes, or their base64`,
  )
}

/** Whether two texts are equal, in a time that does not depend on where they differ. */
function isSame(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i)
  return difference === 0
}

/** A key: HMAC hashes 64 bytes of 0xff (0xa3 ^ 0x5c) first, which UTF-8 never has. */
const NO_TEXT = new Uint8Array(64).fill(0xa3)

/**
 * SHA-256 as 43 characters of base64url. The store gets this digest in place of an id. UTF-8 encodes all lone surrogates alike,
 * so text that has any is hashed in its JSON form, which tells them apart; as an HMAC whose key makes bytes that no text has.
 */
export function digestOf(text: string): string {
  return text.isWellFormed() ? sha256(text) : hmacSha256(NO_TEXT)(JSON.stringify(text))
}

/** A reference to a subject, such as a user's id: 132 bits of its digest. */
export function subjectRef(subject: string): string {
  return digestOf(subject).slice(0, SUBJECT_LENGTH)
}

/** A new session id, in the form of the cookie. */
export function newId(): string {
  return toBase64Url(randomBytes((ID_LENGTH * 6) / 8))
}
