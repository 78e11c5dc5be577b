import { startGateway } from '../../../adapters/node/index.ts'
import type { Program } from '../../../scripts/servers/find.ts'
import { startServer } from '../../../scripts/servers.ts'
import type { Address } from './store.ts'

/** Connects to servers: to those that all test files share, or, for a system other than Redis, to new ones for this file only. */
export interface SharedWay {
  readonly address: Address
  stop(): Promise<void>
}

const nothing = async (): Promise<void> => {}

async function alone(program: Program, count = 1, args: readonly string[] = []): Promise<SharedWay> {
  const servers = await Promise.all(Array.from({ length: count }, () => startServer(program, { args })))
  return {
    address: { urls: servers.map(({ url }) => url) },
    stop: async () => void (await Promise.all(servers.map((server) => server.stop()))),
  }
}

export type SharedWayName =
  | 'TCP'
  | 'Cluster'
  | 'Cluster, own TCP'
  | 'REST'
  | 'Memcached'
  | 'Memcached, three servers'
  | 'NATS'
  | 'Garnet'

const nodesOfCluster = (): string[] => (process.env.CLUSTER_NODES ?? '').split(',').map((node) => `redis://${node}`)

export const sharedWays: Readonly<Record<SharedWayName, () => Promise<SharedWay>>> = {
  Memcached: () => alone('memcached'),
  'Memcached, three servers': () => alone('memcached16', 3),
  NATS: () => alone('nats'),
  TCP: async () => ({ address: { urls: [process.env.REDIS8_URL ?? ''] }, stop: nothing }),
  Cluster: async () => ({ address: { urls: nodesOfCluster() }, stop: nothing }),
  'Cluster, own TCP': async () => ({ address: { urls: nodesOfCluster(), byTcp: true }, stop: nothing }),
  async Garnet() {
    const { address, stop } = await alone('garnet', 1, ['--lua', '--lua-transaction-mode'])
    return { address: { ...address, byTcp: true }, stop }
  },
  async REST() {
    const { url, token, stop } = await startGateway({ redis: process.env.REDIS8_URL ?? '' })
    return { address: { urls: [url], token }, stop }
  },
}
