import { byEffect, cannotRun, type Steps } from './by-effect.ts'
import { LEASE_LUA } from './lease.ts'
import { ENTRY_LUA } from './stored-entry.ts'
import { BURY_LUA, WRITE_LUA } from './values.ts'

/** The steps of `entry.ts` that every cache needs: set, fill, rewrite, bury, lease, release, fail, gone. */
const lua = `${ENTRY_LUA}${WRITE_LUA}${BURY_LUA}${LEASE_LUA}
return 0`

/** For servers that run scripts, and for stores that have `entryTable`. Without `apply` the steps are much smaller. */
export const entryScripts: Steps = /* @__PURE__ */ byEffect(lua, cannotRun)
