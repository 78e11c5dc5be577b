import { type Control, fieldsOf, listOf } from './directives.ts'

/** A field of a message, its name in lower case. A message may have several `set-cookie` fields. */
export type Field = readonly [name: string, value: string]

/** Fields of one connection (RFC 9110, section 7.6.1) and of one proxy: never stored, never sent from the store. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Fields of a stored response that a 304 does not update: they describe the stored body. */
const OF_THE_BODY: ReadonlySet<string> = new Set([
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
])

/** The fields of a response that may be stored: `Date` is added where it is missing. */
export function storableFields(headers: Headers, control: Control, responseMs: number): Field[] {
  const left = new Set(listOf(headers.get('connection')))
  for (const directive of ['private', 'no-cache']) {
    for (const name of fieldsOf(control.directives, directive) ?? []) left.add(name)
  }
  // This cache sets these two itself for each response.
  left.add('age').add('cache-status')
  const fields: Field[] = []
  let hasDate = false
  for (const [name, value] of headers) {
    if (HOP_BY_HOP.has(name) || left.has(name)) continue
    hasDate ||= name === 'date'
    fields.push([name, value])
  }
  // The Cache-Status of a cache behind this one is stored.
  const behind = headers.get('cache-status')
  if (behind && !listOf(headers.get('connection')).includes('cache-status')) fields.push(['cache-status', behind])
  if (!hasDate) fields.push(['date', new Date(responseMs).toUTCString()])
  return fields
}

/** The fields of a stored response after a 304 (RFC 9111, section 3.2). */
export function updatedFields(stored: readonly Field[], update: readonly Field[]): Field[] {
  const news = update.filter(([name]) => !OF_THE_BODY.has(name))
  const replaced = new Set(news.map(([name]) => name))
  return [...stored.filter(([name]) => !replaced.has(name)), ...news]
}

export function headersOf(fields: readonly Field[]): Headers {
  return new Headers(fields as [string, string][])
}
