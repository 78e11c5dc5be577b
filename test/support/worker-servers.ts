import { inject } from 'vitest'

// Before each file: `REDIS7_URL`, `REDIS8_URL`, `VALKEY_URL` and `CLUSTER_NODES` of the servers of this worker.
const response = await fetch(`${inject('servers')}/${process.env.VITEST_POOL_ID}`)
const text = await response.text()
if (!response.ok) throw new Error(text)
Object.assign(process.env, JSON.parse(text))
