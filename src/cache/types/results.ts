import type { Results } from '../handle.ts'

/** What comes back as it is: it cannot change, or its type has no form to be read only. A branded text is text, too. */
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
 * `T` to be read, not written, since others may hold the same value. `Levels` counts tuples within tuples: the third
 * comes back as it is, so that a type which holds itself in a tuple has an end.
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

/** `T` as a cache with these results types it. */
export type Given<T, R extends Results> = R extends 'frozen' ? Frozen<T> : T
