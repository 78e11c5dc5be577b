import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestProject } from 'vitest/node'
import { allServers, type ServerName, type Servers, startServers } from '../../scripts/servers.ts'

// Files run side by side, one on each worker of Vitest. Each worker has its own servers, so a file sees no key, script,
// connection or count of another: it runs as it does alone.

declare module 'vitest' {
  interface ProvidedContext {
    /** Where a worker asks for its servers: `GET /<number of the worker>` resolves to what to set in `process.env`. */
    servers: string
  }
}

const variables: { readonly [N in ServerName]: string } = {
  redis7: 'REDIS7_URL',
  redis8: 'REDIS8_URL',
  valkey: 'VALKEY_URL',
  cluster: 'CLUSTER_NODES',
}

/** Names of the servers that this environment does not have, so that they have to be started. */
const missingServers = (): ServerName[] => allServers.filter((name) => !process.env[variables[name]])

/** A server whose variable is set, by `node scripts/servers.ts start`, is used by every worker: then one file runs at a time. */
export const sharesServers = (): boolean => missingServers().length < allServers.length

/** Starts a worker's servers when its first file asks for them, and stops all of them after the last file. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const started = new Map<string, Promise<Servers>>()
  const missing = missingServers()
  // One set is started at a time: the first downloads what is not on this machine, the others find it there.
  let last: Promise<unknown> = Promise.resolve()
  const serversOf = (worker: string): Promise<Servers> => {
    const say = started.size === 0 ? undefined : () => {}
    const servers = started.get(worker) ?? last.then(() => startServers(missing, say))
    started.set(worker, servers)
    last = servers.catch(() => {})
    return servers
  }
  const desk = createServer((request, response) => {
    serversOf(request.url?.slice(1) ?? '').then(
      ({ env }) => response.end(JSON.stringify(env)),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  await new Promise<void>((resolve) => void desk.listen(0, '127.0.0.1', resolve))
  project.provide('servers', `http://127.0.0.1:${(desk.address() as AddressInfo).port}`)
  return async () => {
    desk.close()
    desk.closeAllConnections()
    for (const servers of await Promise.allSettled(started.values()))
      if (servers.status === 'fulfilled') await servers.value.stop()
  }
}
