import { matchGlob } from './glob.ts'
import type { IndexedMap } from './indexed-map.ts'
import { int, parseUint64 } from './numbers.ts'
import { fail } from './reply.ts'

export interface ScanOptions {
  readonly count: number
  readonly pattern: string | undefined
  readonly type: string | undefined
  readonly noValues: boolean
}

/** Throws error replies. */
export function readScanOptions(args: readonly string[], from: number, allows: 'type' | 'novalues' | ''): ScanOptions {
  let count = 10
  let pattern: string | undefined
  let type: string | undefined
  let noValues = false
  for (let i = from; i < args.length; i++) {
    const word = (args[i] as string).toUpperCase()
    const next = args[i + 1]
    if (word === 'COUNT' && next !== undefined) {
      count = int(next)
      if (count < 1) fail('ERR syntax error')
      i++
    } else if (word === 'MATCH' && next !== undefined) {
      pattern = next === '*' ? undefined : next
      i++
    } else if (word === 'TYPE' && allows === 'type' && next !== undefined) {
      type = next.toLowerCase()
      i++
    } else if (word === 'NOVALUES') {
      if (allows !== 'novalues') fail('ERR NOVALUES option can only be used in HSCAN')
      noValues = true
    } else fail('ERR syntax error')
  }
  return { count, pattern, type, noValues }
}

/** Throws an error reply for a text that is not a cursor. */
export function readCursor(text: string): number {
  return Number(parseUint64(text) ?? fail('ERR invalid cursor'))
}

/** Redis stores collections up to this size in one piece, and returns them whole. */
const SMALL = 128

/** The names of the next entries of a scan, which goes from the last index to the first, and the cursor after them. */
export function scanPlaces<V>(
  map: IndexedMap<V>,
  cursor: number,
  { count, pattern }: ScanOptions,
  wholeBelow: number = SMALL,
): { readonly cursor: string; readonly names: string[] } {
  const isWhole = wholeBelow > 0 && map.size <= wholeBelow
  const from = cursor === 0 || isWhole ? map.size : Math.min(cursor, map.size)
  const to = isWhole ? 0 : Math.max(0, from - count)
  const names: string[] = []
  for (let place = from - 1; place >= to; place--) {
    const name = map.names[place] as string
    if (pattern === undefined || matchGlob(pattern, name)) names.push(name)
  }
  return { cursor: `${to}`, names }
}
