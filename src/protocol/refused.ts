import { HitherError } from '../errors.ts'

/** Names that may appear in a message: those that look like names in code. Any other may be somebody's data. */
const SHOWN = /^[A-Za-z_$][\w$]{0,39}$/
const MAX_PATH = 200

/** What cannot be stored, and the path to it. Each level that the error passes adds its name to the path. */
export class Refused {
  readonly what: string
  path = ''
  constructor(what: string) {
    this.what = what
  }
  toError(): HitherError {
    const path = this.path.replace(/^\./, '')
    const shown = path.length > MAX_PATH ? `${path.slice(0, MAX_PATH)}…` : path
    return new HitherError('UNENCODABLE', `this value cannot be stored: ${shown && `${shown}: `}${this.what}`)
  }
}

/** Adds a name to the path of a `Refused`: that of a property, or `[0]`. */
export function at(error: unknown, name: string): unknown {
  if (error instanceof Refused) {
    const step = name[0] === '[' ? name : SHOWN.test(name) ? `.${name}` : '[…]'
    error.path = step + error.path
  }
  return error
}

export function classOf(value: object): string {
  const name: unknown = (Object.getPrototypeOf(value) as object | null)?.constructor?.name
  const shown = typeof name === 'string' && SHOWN.test(name) ? `${name}, ` : ''
  return `${shown}an instance of a class: pass a codec, or plain data`
}
