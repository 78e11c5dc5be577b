import type { Results } from '../handle.ts'

/**
 * Types that `Frozen` leaves as they are: the value cannot change, or the type has no read-only form. A branded string counts
 * as a string.
 */
type Unchanged =
  | string
  | number
  | bigint
  | boolean
  | symbol
  | null
  | undefined
  | Date
  | RegExp
  | Uint8Array
  | ((...args: never[]) => unknown)

/**
 * `T` as a read-only type, since other callers may hold the same value. `Levels` counts tuples within tuples: a tuple inside
 * three others is left as it is, so that a type which contains itself in a tuple has an end.
 */
export type Frozen<T, Levels extends 0[] = []> = T extends Unchanged
  ? T
  : T extends Map<infer K, infer V>
    ? ReadonlyMap<Frozen<K>, Frozen<V>>
    : T extends Set<infer V>
      ? ReadonlySet<Frozen<V>>
      : T extends readonly (infer V)[]
        ? V[] extends T
          ? readonly Frozen<V>[]
          : Levels['length'] extends 3
            ? T
            : { readonly [K in keyof T]: Frozen<T[K], [...Levels, 0]> }
        : T extends object
          ? { readonly [K in keyof T]: Frozen<T[K]> }
          : T

/** The type that a cache with the results `R` gives a `T`. */
export type Given<T, R extends Results> = R extends 'frozen' ? Frozen<T> : T
