/**
 * INCRBYFLOAT and HINCRBYFLOAT add numbers of 80 bits, with a mantissa of 64 bits and an exponent. This is such a number: exactly
 * `mantissa × 2^exponent`, rounded to 64 bits as the hardware does (half to even).
 */
export interface LongDouble {
  readonly mantissa: bigint
  readonly exponent: number
}

const BITS = 64
const shape = /^([+-]?)(\d*)\.?(\d*)(?:e([+-]?\d+))?$/i

const bitLength = (value: bigint): number => (value === 0n ? 0 : value.toString(2).length)

/** `numerator / denominator`, rounded. */
function round(numerator: bigint, denominator: bigint): LongDouble {
  if (numerator === 0n) return { mantissa: 0n, exponent: 0 }
  const negative = numerator < 0n
  const top = negative ? -numerator : numerator
  const exponent = bitLength(top) - bitLength(denominator) - BITS
  const [over, under] = exponent >= 0 ? [top, denominator << BigInt(exponent)] : [top << BigInt(-exponent), denominator]
  let quotient = over / under
  let rest = over % under
  let shift = exponent
  let scale = under
  if (bitLength(quotient) > BITS) {
    rest += (quotient & 1n) * under
    quotient >>= 1n
    scale = under << 1n
    shift++
  }
  const twice = rest * 2n
  if (twice > scale || (twice === scale && (quotient & 1n) === 1n)) quotient += 1n
  return { mantissa: negative ? -quotient : quotient, exponent: shift }
}

const hexadecimal = /^([+-]?)0x([\da-f]*)\.?([\da-f]*)(?:p([+-]?\d+))?$/i

/** Parses a hexadecimal number as `strtold` does: `0x1.8p3` is 12. */
function parseHexadecimal(text: string): LongDouble | undefined {
  const [found, sign, whole = '', fraction = '', power = '0'] = hexadecimal.exec(text) ?? []
  if (found === undefined || whole + fraction === '' || text.length > 5000) return undefined
  const shift = Number(power) - 4 * fraction.length
  if (Math.abs(shift) > 16_000) return undefined
  const digits = BigInt(`0x${whole}${fraction}`) * (sign === '-' ? -1n : 1n)
  return shift >= 0 ? round(digits << BigInt(shift), 1n) : round(digits, 1n << BigInt(-shift))
}

/** Undefined for a text that is not a finite number. */
export function parseLongDouble(text: string): LongDouble | undefined {
  if (/^[+-]?0x/i.test(text)) return parseHexadecimal(text)
  const parts = shape.exec(text)
  if (!parts || text.length > 5000) return undefined
  const [, sign, whole = '', fraction = '', power = '0'] = parts
  if (whole === '' && fraction === '') return undefined
  const scale = Number(power) - fraction.length
  if (Math.abs(scale) > 5000) return undefined
  const digits = BigInt(whole + fraction) * (sign === '-' ? -1n : 1n)
  return scale >= 0 ? round(digits * 10n ** BigInt(scale), 1n) : round(digits, 10n ** BigInt(-scale))
}

export function addLongDoubles(a: LongDouble, b: LongDouble): LongDouble {
  const exponent = Math.min(a.exponent, b.exponent)
  const sum = (a.mantissa << BigInt(a.exponent - exponent)) + (b.mantissa << BigInt(b.exponent - exponent))
  return exponent >= 0 ? round(sum << BigInt(exponent), 1n) : round(sum, 1n << BigInt(-exponent))
}

/** Writes 17 decimal places, without trailing zeros. */
export function formatLongDouble({ mantissa, exponent }: LongDouble): string {
  const negative = mantissa < 0n
  const scaled = (negative ? -mantissa : mantissa) * 10n ** 17n
  let places = exponent >= 0 ? scaled << BigInt(exponent) : scaled >> BigInt(-exponent)
  if (exponent < 0) {
    const unit = 1n << BigInt(-exponent)
    const rest = (scaled & (unit - 1n)) * 2n
    if (rest > unit || (rest === unit && (places & 1n) === 1n)) places += 1n
  }
  const digits = places.toString().padStart(18, '0')
  const text = `${digits.slice(0, -17)}.${digits.slice(-17)}`.replace(/\.?0+$/, '')
  return negative && text !== '0' ? `-${text}` : text
}
