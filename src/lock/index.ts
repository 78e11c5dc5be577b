export { createLocks } from './create-locks.ts'
export type { AcquireOptions, Lock, Lockable, Locks, LocksOptions, RunResult } from './types.ts'
