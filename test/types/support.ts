type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Compiles only where the two types are one: `same<A, B>()`. */
export declare function same<A, B>(...differ: Equal<A, B> extends true ? [] : ['the types differ', A, B]): void
/** Compiles only where the argument's type is `T` and nothing narrower or wider. */
export declare function typed<T>(): <U>(value: U, ...differ: Equal<T, U> extends true ? [] : ['it is', U]) => void
