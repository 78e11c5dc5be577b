/** The public types of a cache, by subject. */
export type * from './handle.ts'
export type * from './types/cache.ts'
export type * from './types/cache-options.ts'
export type * from './types/call-options.ts'
export type * from './types/define-options.ts'
export type * from './types/events.ts'
export type * from './types/load-options.ts'
export type * from './types/results.ts'
