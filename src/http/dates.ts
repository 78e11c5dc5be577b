const MONTHS = 'janfebmaraprmayjunjulaugsepoctnovdec'
const DAY = '(?:mon|tue|wed|thu|fri|sat|sun)'
const MONTH = '([a-z]{3})'
const TIME = '(\\d\\d):(\\d\\d):(\\d\\d)'
/** The three forms of RFC 9110, section 5.6.7. */
const IMF_FIXDATE = new RegExp(`^${DAY}, (\\d\\d) ${MONTH} (\\d{4}) ${TIME} gmt$`, 'i')
const RFC_850 = new RegExp(`^(?:mon|tues|wednes|thurs|fri|satur|sun)day, (\\d\\d)-${MONTH}-(\\d\\d) ${TIME} gmt$`, 'i')
const ASCTIME = new RegExp(`^${DAY} ${MONTH} ([ \\d]\\d) ${TIME} (\\d{4})$`, 'i')
/** Longer text is not parsed. */
const LONGEST = 40

/**
 * A date field in epoch milliseconds; undefined for what is no HTTP date. Names of days and months may be in any case. A zone
 * other than GMT is invalid. `nowMs` decides the century of a year in two digits.
 */
export function parseDate(text: string | null | undefined, nowMs: number): number | undefined {
  if (!text || text.length > LONGEST) return undefined
  let parts = IMF_FIXDATE.exec(text)
  if (parts) return instant(parts[3], parts[2], parts[1], parts[4], parts[5], parts[6])
  parts = ASCTIME.exec(text)
  if (parts) return instant(parts[6], parts[1], parts[2], parts[3], parts[4], parts[5])
  parts = RFC_850.exec(text)
  if (!parts) return undefined
  const thisYear = new Date(nowMs).getUTCFullYear()
  let year = Math.floor(thisYear / 100) * 100 + Number(parts[3])
  // A year more than 50 years ahead means the most recent past year with the same two digits (RFC 9110, section 5.6.7).
  if (year > thisYear + 50) year -= 100
  return instant(`${year}`, parts[2], parts[1], parts[4], parts[5], parts[6])
}

function instant(...parts: (string | undefined)[]): number | undefined {
  const [year, , day, hour, minute, second] = parts.map(Number) as [number, number, number, number, number, number]
  const month = MONTHS.indexOf((parts[1] as string).toLowerCase()) / 3
  const ms = Date.UTC(year, month, day, hour, minute, second)
  // 23:59:60 is a leap second. For a day that the month does not have, `Date.UTC` gives another day.
  const isValid =
    Number.isInteger(month) && hour < 24 && minute < 60 && second < 61 && new Date(ms).getUTCDate() === day
  return isValid || second === 60 ? ms : undefined
}
