import { HitherError } from '../errors.ts'

type Unit = 'ms' | 's' | 'm' | 'h' | 'd'

/** A length of time: milliseconds, or a literal such as `'250ms'`, `'30s'` or `'30 s'`, `'5m'`, `'1h'`, `'7d'`. */
export type Duration = number | `${number}${Unit}` | `${number} ${Unit}`

const MS: { readonly [U in Unit]: number } = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Longest duration in ms: about 3,170 years, so that every instant fits the stored form. */
const MAX_MS = 1e14

/**
 * A duration in whole milliseconds, rounded up. Throws `INVALID_DURATION` for text of another form, for a number that is
 * negative, not finite or above 10^14 ms, and for zero unless `min` is 0. The message contains `name`.
 */
export function toMs(duration: Duration, name: string, min: 0 | 1 = 1): number {
  const ms = typeof duration === 'number' ? Math.ceil(duration) : textMs(duration)
  if (ms >= min && ms <= MAX_MS) return ms
  throw new HitherError(
    'INVALID_DURATION',
    `${name} takes ${min ? 'more than 0 ' : ''}milliseconds, or a literal such as '30s', '5m' or '7d'`,
  )
}

const MAX_KNOWN = 100
const MAX_LENGTH = 20
/** A program has few literals, and passes the same ones with every call. */
const known = new Map<string, number>()

function textMs(text: string): number {
  let ms = known.get(text)
  if (ms === undefined) {
    const [, count, unit] = (typeof text === 'string' && /^(\d+(?:\.\d+)?) ?(ms|[smhd])$/.exec(text)) || []
    ms = Math.ceil(Number(count) * MS[unit as Unit])
    if (known.size >= MAX_KNOWN) known.clear()
    if (ms <= MAX_MS && text.length <= MAX_LENGTH) known.set(text, ms)
  }
  return ms
}
