export { createOnce, type Once, type OnceCall, type OnceOptions } from './create-once.ts'
