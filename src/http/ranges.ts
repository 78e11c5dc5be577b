import { parseDate } from './dates.ts'

/** The part of a body that a request asks for; `unsatisfiable` if the body has no such part. */
export type Part = 'whole' | 'unsatisfiable' | { readonly from: number /** Exclusive. */; readonly to: number }

/**
 * The part that a Range field asks for, of a body of `length` bytes. Anything but one range of bytes asks for the whole. So does
 * an If-Range that does not match the stored response by the strong comparison (RFC 9110, section 13.1.5).
 */
export function partOf(request: Headers, stored: Headers, length: number): Part {
  const ifRange = request.get('if-range')
  if (ifRange !== null) {
    const isTag = ifRange.includes('"')
    const known = stored.get(isTag ? 'etag' : 'last-modified')
    if (ifRange !== known || ifRange.startsWith('W/')) return 'whole'
    // Last-Modified is strong if it is earlier than Date: no second change can share its second (RFC 9110, section 8.8.2.2).
    const isStrong = (parseDate(known, 0) ?? Number.POSITIVE_INFINITY) < (parseDate(stored.get('date'), 0) ?? 0)
    if (!isTag && !isStrong) return 'whole'
  }
  const found = /^bytes=(\d*)-(\d*)$/i.exec((request.get('range') ?? '').trim())
  const [, first = '', last = ''] = found ?? []
  if (!found || (first === '' && last === '')) return 'whole'
  if (first === '') {
    const count = Math.min(Number(last), length)
    return count === 0 ? 'unsatisfiable' : { from: length - count, to: length }
  }
  if (last !== '' && Number(last) < Number(first)) return 'whole'
  if (Number(first) >= length) return 'unsatisfiable'
  return { from: Number(first), to: last === '' ? length : Math.min(Number(last) + 1, length) }
}

/** The length of the body, if a 206 has all of it; undefined if it has only a part, or does not give the length. */
export function wholeOf206(headers: Headers): number | undefined {
  const [, first, last, all] =
    /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/i.exec(headers.get('content-range') ?? '') ?? []
  return Number(first) === 0 && Number(last) + 1 === Number(all) ? Number(all) : undefined
}
