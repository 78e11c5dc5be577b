import { inject } from 'vitest'

// Runs before each test file: sets `REDIS7_URL`, `REDIS8_URL`, `VALKEY_URL` and `CLUSTER_NODES` to the servers of this worker.
const response = await fetch(`${inject('servers')}/${process.env.VITEST_POOL_ID}`)
const text = await response.text()
if (!response.ok) throw new Error(text)
Object.assign(process.env, JSON.parse(text))
