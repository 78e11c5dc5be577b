import type { Client, Family } from '../contracts.ts'
import { int } from '../numbers.ts'
import { fail, MapReply, type Reply } from '../reply.ts'
import { SYNTAX } from './strings.ts'

const MAX_TABLE_BYTES = 536_870_912
const TOO_MUCH = 'ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len'

interface Wanted {
  length: boolean
  places: boolean
  minLength: number
  lengths: boolean
}

function readOptions(args: readonly string[]): Wanted {
  const wanted = { length: false, places: false, minLength: 0, lengths: false }
  for (let i = 3; i < args.length; i++) {
    const word = args[i]?.toUpperCase()
    if (word === 'IDX') wanted.places = true
    else if (word === 'LEN') wanted.length = true
    else if (word === 'WITHMATCHLEN') wanted.lengths = true
    else if (word === 'MINMATCHLEN' && i + 1 < args.length) wanted.minLength = Math.max(0, int(args[++i]))
    else fail(SYNTAX)
  }
  if (wanted.length && wanted.places) fail('ERR If you want both the length and indexes, please just use IDX.')
  return wanted
}

/** At index `i × (b.length + 1) + j`: length of the longest common subsequence of the first `i` and `j` bytes. */
function commonLengths(a: string, b: string): Uint32Array {
  const width = b.length + 1
  if ((a.length + 1) * width * 4 > MAX_TABLE_BYTES) fail(TOO_MUCH)
  const table = new Uint32Array((a.length + 1) * width)
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const at = i * width + j
      table[at] =
        a.charCodeAt(i - 1) === b.charCodeAt(j - 1)
          ? (table[at - width - 1] as number) + 1
          : Math.max(table[at - width] as number, table[at - 1] as number)
    }
  }
  return table
}

type Range = [aFrom: number, aTo: number, bFrom: number, bTo: number]

/** The common bytes and their ranges, from the last to the first, in the order in which Redis walks its table. */
function walk(a: string, b: string, table: Uint32Array): { readonly text: string; readonly ranges: readonly Range[] } {
  const width = b.length + 1
  const bytes: string[] = []
  const ranges: Range[] = []
  let open: Range | undefined
  for (let i = a.length, j = b.length; i > 0 && j > 0; ) {
    let ends = false
    if (a[i - 1] === b[j - 1]) {
      bytes.push(a[i - 1] as string)
      if (!open) open = [i - 1, i - 1, j - 1, j - 1]
      else if (open[0] === i && open[2] === j) open = [i - 1, open[1], j - 1, open[3]]
      else ends = true
      ends ||= open[0] === 0 || open[2] === 0
      i--
      j--
    } else {
      ends = open !== undefined
      if ((table[(i - 1) * width + j] as number) > (table[i * width + j - 1] as number)) i--
      else j--
    }
    if (!ends) continue
    ranges.push(open as Range)
    open = undefined
  }
  return { text: bytes.reverse().join(''), ranges }
}

function lcs(client: Client, args: readonly string[]): Reply {
  const [a = '', b = ''] = [args[1], args[2]].map((key) => {
    const value = client.find(key as string) ?? ''
    return typeof value === 'string' ? value : fail('ERR The specified keys must contain string values')
  })
  const wanted = readOptions(args)
  const table = commonLengths(a, b)
  const length = table.at(-1) as number
  if (wanted.length) return length
  const { text, ranges } = walk(a, b, table)
  if (!wanted.places) return text
  const matches = ranges
    .filter(([from, to]) => to - from + 1 >= wanted.minLength)
    .map(([aFrom, aTo, bFrom, bTo]): Reply => {
      const pair = [
        [aFrom, aTo],
        [bFrom, bTo],
      ]
      return wanted.lengths ? [...pair, aTo - aFrom + 1] : pair
    })
  return new MapReply(['matches', matches, 'len', length])
}

export const longestCommon: Family = { lcs }
