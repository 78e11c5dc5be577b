import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestProject } from 'vitest/node'
import { allServers, type ServerName, type Servers, startServers } from '../../scripts/servers.ts'

// Test files run in parallel, one on each Vitest worker. Each worker has its own servers, so a file sees no key, script,
// connection or count of another file, and runs as if it were alone.

declare module 'vitest' {
  interface ProvidedContext {
    /** URL at which a worker gets its servers: the response to `GET /<number of the worker>` is what to set in `process.env`. */
    servers: string
  }
}

const variables: { readonly [N in ServerName]: string } = {
  redis7: 'REDIS7_URL',
  redis8: 'REDIS8_URL',
  valkey: 'VALKEY_URL',
  cluster: 'CLUSTER_NODES',
}

/** Names of the servers whose variables are not set, so that the tests must start them. */
const missingServers = (): ServerName[] => allServers.filter((name) => !process.env[variables[name]])

/** Whether workers share a server, since its variable is set (`node scripts/servers.ts start`). Then one file runs at a time. */
export const sharesServers = (): boolean => missingServers().length < allServers.length

/** Starts a worker's servers when its first file asks for them, and stops all of them after the last file. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const started = new Map<string, Promise<Servers>>()
  const missing = missingServers()
  // One set of servers is started at a time: the first downloads missing programs, and the others find them.
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
