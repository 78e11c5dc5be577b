import { startGateway } from '../../../adapters/node/index.ts'
import type { Address } from './store.ts'

/** A way to the servers that all test files share. */
export interface SharedWay {
  readonly address: Address
  stop(): Promise<void>
}

const nothing = async (): Promise<void> => {}

export const sharedWays: Readonly<Record<'TCP' | 'Cluster' | 'REST', () => Promise<SharedWay>>> = {
  TCP: async () => ({ address: { urls: [process.env.REDIS8_URL ?? ''] }, stop: nothing }),
  async Cluster() {
    const nodes = (process.env.CLUSTER_NODES ?? '').split(',')
    return { address: { urls: nodes.map((node) => `redis://${node}`) }, stop: nothing }
  },
  async REST() {
    const { url, token, stop } = await startGateway({ redis: process.env.REDIS8_URL ?? '' })
    return { address: { urls: [url], token }, stop }
  },
}
