type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Compiles only if the two types are the same: `same<A, B>()`. */
export declare function same<A, B>(...differ: Equal<A, B> extends true ? [] : ['the types differ', A, B]): void
/** Compiles only if the argument's type is exactly `T`, neither narrower nor wider. */
export declare function typed<T>(): <U>(value: U, ...differ: Equal<T, U> extends true ? [] : ['it is', U]) => void
