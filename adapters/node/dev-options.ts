import { HitherError } from 'hither'

type Check = readonly [is: (value: unknown) => boolean, what: string]
const isWhole = (value: unknown, most: number): boolean =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= most
const TEXT: Check = [(value) => typeof value === 'string', 'text']
const PORT: Check = [(value) => isWhole(value, 65_535), 'a number from 0 to 65535']
const FUNCTION: Check = [(value) => typeof value === 'function', 'a function']

const OPTIONS: Readonly<Record<string, Check>> = {
  port: PORT,
  redisPort: PORT,
  host: TEXT,
  token: TEXT,
  password: TEXT,
  maxBytes: [(value) => isWhole(value, Number.MAX_SAFE_INTEGER), 'a whole number from 0 up'],
  evictionPolicy: TEXT,
  snapshot: TEXT,
  seed: TEXT,
  onCommand: FUNCTION,
  onError: FUNCTION,
  onEvent: FUNCTION,
  hosts: [(value) => Array.isArray(value), 'a list of names'],
}

/** Throws `INVALID_ARGUMENT` for an option of `startDev` that does not exist, or is of another kind. */
export function checkDevOptions(options: object): void {
  if (typeof options !== 'object' || options === null)
    throw new HitherError('INVALID_ARGUMENT', 'startDev takes an object')
  for (const [name, value] of Object.entries(options)) {
    const check = Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined
    if (!check) throw new HitherError('INVALID_ARGUMENT', `startDev has no option ${name}`)
    const [is, what] = check
    if (value !== undefined && !is(value)) throw new HitherError('INVALID_ARGUMENT', `${name} is ${what}`)
  }
}
