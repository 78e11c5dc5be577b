import type { WaitUntil } from 'hither'
import { waitUntil as find } from './background.ts'

/**
 * `createCache({ waitUntil })` where a bundler does not know the condition `workerd`; where it does, hither finds this by
 * itself. Can be imported in Workers only.
 */
export const waitUntil: WaitUntil = (work) => find()(work)

export { type KvNamespace, type KvStoreOptions, kvStore } from './kv-store.ts'
