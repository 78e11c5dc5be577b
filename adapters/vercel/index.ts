import { HitherError, type WaitUntil } from 'hither'
import { waitUntil as find } from './background.ts'

/**
 * `createCache({ waitUntil })` where a bundler does not know the condition `edge-light`; where it does, and on Vercel's
 * Node, hither finds this by itself. Throws `UNSUPPORTED` where there is no request of Vercel's.
 */
export const waitUntil: WaitUntil = (work) => {
  const extend = find()
  if (!extend) throw new HitherError('UNSUPPORTED', 'there is no request of Vercel here, so nothing extends it')
  extend(work)
}

export { type RuntimeCache, runtimeCacheStore } from './runtime-cache-store.ts'
