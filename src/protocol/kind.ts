import { isRoot, plainKindOf } from './plain-kind.ts'

/** The kinds of objects that the codec keeps. */
export type Kind = 'object' | 'array' | 'date' | 'map' | 'set' | 'bytes'

const { getPrototypeOf, hasOwn } = Object

const getter = (base: object, name: PropertyKey): ((this: unknown) => unknown) =>
  Object.getOwnPropertyDescriptor(base, name)?.get as (this: unknown) => unknown
const bytesBase = Uint8Array.prototype
const viewName = getter(getPrototypeOf(bytesBase), Symbol.toStringTag)

/** `look` reads an internal slot: it succeeds for the built-in of any realm, and throws for everything else. */
const builtIns: readonly { readonly kind: Kind; readonly base: object; readonly look: (this: never) => unknown }[] = [
  { kind: 'date', base: Date.prototype, look: Date.prototype.getTime },
  { kind: 'map', base: Map.prototype, look: getter(Map.prototype, 'size') },
  { kind: 'set', base: Set.prototype, look: getter(Set.prototype, 'size') },
]

/**
 * The kind of an object; undefined for an instance of a class, also of one that extends a built-in. A value of another realm (a
 * frame, `vm`, Jest) has the same kind as one of this realm. A `Buffer` is bytes: the one class that people store without
 * meaning its methods.
 */
export function kindOf(value: object): Kind | undefined {
  const plain = plainKindOf(value)
  if (plain || Array.isArray(value)) return plain
  const base = getPrototypeOf(value) as object
  const next = getPrototypeOf(base) as object
  if (viewName.call(value) === 'Uint8Array') {
    return base === bytesBase || isRoot(getPrototypeOf(next)) || isBuffer(value, base) ? 'bytes' : undefined
  }
  // Fake timers replace `Date` by a class that extends it: what that class makes is a date as long as it is the global one.
  if (!isRoot(next) && base !== Date.prototype) return undefined
  const own = builtIns.find((known) => known.base === base)
  return (own ? [own] : builtIns).find((known) => answers(known.look, value))?.kind
}

function answers(look: (this: never) => unknown, value: object): boolean {
  try {
    look.call(value as never)
    return true
  } catch {
    return false
  }
}

/**
 * A runtime may have no global `Buffer`, so this asks the value's own class, which must have `isBuffer` itself and not inherit
 * it.
 */
function isBuffer(value: object, { constructor: made }: object): boolean {
  const { isBuffer: test } = made as { readonly isBuffer?: (value: unknown) => boolean }
  return hasOwn(made, 'isBuffer') && typeof test === 'function' && test(value) === true
}
