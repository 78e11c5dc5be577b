import { fromBase64, toBase64 } from '../protocol/base64.ts'
import type { Field } from './fields.ts'
import type { Aged } from './freshness.ts'
import type { Terms } from './reuse.ts'
import type { Selector } from './vary.ts'

/** A stored body: inline with its response, as text or base64, or in chunks of `size` bytes under `id` until `untilMs`. */
export type StoredBody =
  | { readonly text: string }
  | { readonly base64: string }
  | { readonly id: string; readonly size: number; readonly untilMs: number }

/** A stored response. Instants are epoch milliseconds by the clock of the process that stored it. */
export interface StoredResponse extends Aged, Terms {
  readonly status: number
  readonly fields: readonly Field[]
  readonly selectors: readonly Selector[]
  readonly dateMs: number
  /** The query of its request. Its No-Vary-Search says for which other queries it may be used. */
  readonly search: string
  /** It may be served to a request that could belong to one user. */
  readonly shared: boolean
  /** Stored keys of its versions, and the versions under which it was stored. */
  readonly versions: readonly (readonly [key: string, version: string])[]
  readonly length: number
  readonly body: StoredBody
  /** Digest of its selectors, as in its record. */
  readonly variant: string
  /** When its request began, in microseconds by the store's clock, as in its record. */
  readonly startUs: number
}

const FORM = 1

export function formatResponse(response: StoredResponse): string {
  const { variant: _, startUs: __, ...rest } = response
  return JSON.stringify({ form: FORM, ...rest })
}

const isNumber = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value)
const isPairs = (value: unknown, second: (value: unknown) => boolean): boolean =>
  Array.isArray(value) &&
  value.every((one) => Array.isArray(one) && one.length === 2 && typeof one[0] === 'string' && second(one[1]))
const isText = (value: unknown): value is string => typeof value === 'string'

/** Undefined for text of another form than this version of the code writes: the response counts as absent. */
export function parseResponse(text: string, variant: string, startUs: number): StoredResponse | undefined {
  try {
    const one = JSON.parse(text) as StoredResponse & { readonly form: number }
    const { body } = one
    const isKnown =
      one.form === FORM &&
      Number.isInteger(one.status) &&
      one.status >= 200 &&
      one.status <= 599 &&
      isPairs(one.fields, isText) &&
      isPairs(one.selectors, (value) => value === null || isText(value)) &&
      isPairs(one.versions, isText) &&
      [one.dateMs, one.responseMs, one.ageMs, one.lifetimeMs, one.swrMs, one.length].every(isNumber) &&
      (one.sieMs === undefined || isNumber(one.sieMs)) &&
      isText(one.search) &&
      [one.noCache, one.noStale, one.shared].every((value) => typeof value === 'boolean') &&
      (isText((body as { text?: unknown }).text) ||
        isBase64((body as { base64?: unknown }).base64) ||
        ('id' in body && isText(body.id) && isNumber(body.size) && isNumber(body.untilMs)))
    if (!isKnown) return undefined
    // Throws if a field is not valid in a message.
    new Headers(one.fields as [string, string][])
    return { ...one, variant, startUs }
  } catch {
    return undefined
  }
}

function isBase64(value: unknown): boolean {
  return isText(value) && value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value)
}

/** An inline body: text if the bytes are UTF-8, else base64. */
export function inlineBody(bytes: Uint8Array): StoredBody {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) }
  } catch {
    return { base64: toBase64(bytes) }
  }
}

/** The contents of an inline body; undefined if the body is in chunks. */
export function bytesInline(body: StoredBody): string | Uint8Array<ArrayBuffer> | undefined {
  if ('text' in body) return body.text
  return 'base64' in body ? fromBase64(body.base64) : undefined
}
