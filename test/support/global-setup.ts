import type { TestProject } from 'vitest/node'
import { allServers, type ServerName, startServers } from '../../scripts/servers.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** `REDIS7_URL`, `REDIS8_URL`, `VALKEY_URL`, `CLUSTER_NODES`: also in `process.env` of the Node project. */
    servers: Record<string, string>
  }
}

const variables: { readonly [N in ServerName]: string } = {
  redis7: 'REDIS7_URL',
  redis8: 'REDIS8_URL',
  valkey: 'VALKEY_URL',
  cluster: 'CLUSTER_NODES',
}

/**
 * Starts every server once for all test files, and stops them after the last. One whose variable is set already,
 * by `node scripts/servers.ts start` in another terminal, is used as it is.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const given: Record<string, string> = {}
  const wanted = allServers.filter((name) => {
    const value = process.env[variables[name]]
    if (value) given[variables[name]] = value
    return !value
  })
  const { env, stop } = await startServers(wanted)
  Object.assign(process.env, env)
  project.provide('servers', { ...given, ...env })
  return async () => {
    await stop()
    for (const name of Object.keys(env)) delete process.env[name]
  }
}
