import { type Place, type Places, placeAt } from './places.ts'

/** Letters that Unicode does not decompose. */
const plain: Readonly<Record<string, string>> = {
  ł: 'l',
  đ: 'd',
  ð: 'd',
  ø: 'o',
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ı: 'i',
  þ: 'th',
  ə: 'e',
  '’': "'",
  ʻ: "'",
  ʼ: "'",
  '‘': "'",
}

/** How names compare: lower case, without accents. `São Paulo` and `sao paulo` are the same. */
export function fold(text: string): string {
  if (/^[!-~]+$/.test(text)) return text.toLowerCase()
  return text
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[łđðøßæœıþə’ʻʼ‘]/g, (letter) => plain[letter] ?? letter)
    .replace(/\s+/g, ' ')
    .trim()
}

export type Find = (prefix: string, limit: number) => readonly Place[]

/** Finds places whose name begins with a folded text, largest first. The index is built at the first call. */
export function createFind(places: Places): Find {
  let names: readonly string[] | undefined
  return (prefix, limit) => {
    names ??= places.names.map(fold)
    const found: Place[] = []
    for (let i = 0; i < names.length && found.length < limit; i++) {
      if (names[i]?.startsWith(prefix)) found.push(placeAt(places, i))
    }
    return found
  }
}
