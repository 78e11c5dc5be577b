import { byEffect, cannotRun, type Steps } from './by-effect.ts'
import { LEASE_LUA } from './lease.ts'
import { ENTRY_LUA } from './stored-entry.ts'
import { BURY_LUA, WRITE_LUA } from './values.ts'

/** Of the steps in `entry.ts` those that every cache needs: set, fill, rewrite, bury, lease, release, fail, gone. */
const lua = `${ENTRY_LUA}${WRITE_LUA}${BURY_LUA}${LEASE_LUA}
return 0`

/** For a server that runs scripts, and for stores that have `entryTable`: without `apply`, they are much smaller. */
export const entryScripts: Steps = /* @__PURE__ */ byEffect(lua, cannotRun)
