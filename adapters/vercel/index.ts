import { HitherError, type WaitUntil } from 'hither'
import { waitUntil as find } from './background.ts'

/**
 * For `createCache({ waitUntil })` with a bundler that does not know the condition `edge-light`. With one that does, and on
 * Vercel's Node, hither finds this function by itself. Throws `UNSUPPORTED` outside a request of Vercel.
 */
export const waitUntil: WaitUntil = (work) => {
  const extend = find()
  if (!extend) throw new HitherError('UNSUPPORTED', 'there is no request of Vercel here, so nothing extends it')
  extend(work)
}

export { type RuntimeCache, runtimeCacheStore } from './runtime-cache-store.ts'
