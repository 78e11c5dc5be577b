import type { Buffer } from 'node:buffer'
import { HitherError } from '../../src/errors.ts'
import { random } from '../../src/runtime/random.ts'
import { firstKey, slotOf } from '../../src/store/hash-slot.ts'

export type TypeMapping = Readonly<Record<number, unknown>>
interface SendOptions {
  readonly typeMapping?: TypeMapping
}
type Words = readonly (string | Buffer)[]

/** A client or a Cluster of `redis` 5 or 6, with any modules and reply types. */
export interface NodeRedisLike {
  readonly isOpen: boolean
  duplicate(...args: never[]): unknown
  sendCommand(...args: never[]): Promise<unknown>
}

/** The part of a client that is used. */
export interface Peer {
  readonly isOpen: boolean
  readonly isReady: boolean
  readonly options?: { readonly socket?: object } | undefined
  sendCommand(args: Words, options?: SendOptions): Promise<unknown>
  duplicate(overrides?: object): Peer
  withTypeMapping(mapping: object): unknown
  connect(): Promise<unknown>
  subscribe(channel: string, listener: (message: string) => unknown): Promise<unknown>
  unsubscribe(channel: string, listener: (message: string) => unknown): Promise<unknown>
  on(event: string, listener: (...args: never[]) => void): unknown
  destroy(): void
}

/** The part of a Cluster that is used. */
interface ClusterPeer {
  readonly isOpen: boolean
  readonly masters: readonly object[]
  readonly slots: readonly { readonly master: object }[]
  readonly nodeByAddress?: ReadonlyMap<string, object>
  readonly _options?: { readonly defaults?: object }
  sendCommand(
    key: string | Buffer | undefined,
    isReadonly: boolean,
    args: Words,
    options?: SendOptions,
  ): Promise<unknown>
  nodeClient(node: object): Promise<Peer> | Peer
}

/** One server or a Cluster, as a transport uses it. */
export interface Servers {
  readonly isCluster: boolean
  readonly isOpen: boolean
  readonly isReady: boolean
  send(args: Words, options: SendOptions): Promise<unknown>
  /** The client for a key, or for any. `address`: that of a node of a Cluster, which is taken if it is known. */
  clientFor(key: string | Uint8Array | undefined, address?: string): Promise<Peer>
  /** The client of each primary. */
  clients(): Promise<readonly Peer[]>
}

/** Throws `INVALID_ARGUMENT`, or `UNSAFE_CLIENT` for a client that queues commands while it is not connected. */
export function serversOf(borrowed: NodeRedisLike): Servers {
  const client = borrowed as unknown as Partial<Peer> & Partial<ClusterPeer>
  const isCluster = typeof client?.nodeClient === 'function'
  // A client of redis 4 has no type mapping, without which no bytes can be read.
  const methods = [client?.sendCommand, client?.duplicate, client?.withTypeMapping]
  if (methods.some((method) => typeof method !== 'function')) {
    throw new HitherError(
      'INVALID_ARGUMENT',
      'nodeRedisStore takes a client or a Cluster of redis 5 or 6, not one of redis 4, and not its promise',
    )
  }
  if (!isCluster && (typeof client.subscribe !== 'function' || 'acquire' in client)) {
    throw new HitherError(
      'INVALID_ARGUMENT',
      'nodeRedisStore takes no pool and no Sentinel of redis: tcpStore has both',
    )
  }
  const options = isCluster ? client._options?.defaults : client.options
  if ((options as { readonly disableOfflineQueue?: boolean } | undefined)?.disableOfflineQueue !== true) {
    throw new HitherError(
      'UNSAFE_CLIENT',
      isCluster
        ? 'make the Cluster with defaults: { disableOfflineQueue: true }: createCluster({ rootNodes, defaults })'
        : 'make the client with disableOfflineQueue: true: createClient({ disableOfflineQueue: true })',
    )
  }
  return isCluster ? ofCluster(client as ClusterPeer) : ofOne(client as Peer)
}

function ofOne(client: Peer): Servers {
  return {
    isCluster: false,
    get isOpen() {
      return client.isOpen
    },
    get isReady() {
      return client.isReady
    },
    send: (args, options) => client.sendCommand(args, options),
    clientFor: async () => client,
    clients: async () => [client],
  }
}

/**
 * The Cluster follows MOVED and ASK by itself, and sends nothing twice that may have run. It takes longer to find the node for
 * some commands than for others, which could change their order: so a command waits here for earlier ones with one of its keys.
 */
function ofCluster(cluster: ClusterPeer): Servers {
  const last = new Map<string, Promise<unknown>>()
  const inOrder = (args: Words, send: () => Promise<unknown>): Promise<unknown> => {
    const keys = (/^(MGET|UNLINK|DEL)$/.test(String(args[0])) ? args.slice(1) : [firstKey(args)]).map(String)
    const before = keys.flatMap((key) => last.get(key) ?? [])
    const sent = before.length > 0 ? Promise.allSettled(before).then(send) : send()
    for (const key of keys) last.set(key, sent)
    const forget = (): void => {
      for (const key of keys) if (last.get(key) === sent) last.delete(key)
    }
    sent.then(forget, forget)
    return sent
  }
  return {
    isCluster: true,
    get isOpen() {
      return cluster.isOpen
    },
    get isReady() {
      return cluster.isOpen
    },
    send: (args, options) =>
      inOrder(args, () => cluster.sendCommand(firstKey(args) as string | Buffer, false, args, options)),
    async clientFor(key, address = '') {
      const { masters } = cluster
      const placed =
        key === undefined ? masters[Math.floor(random() * masters.length)] : cluster.slots[slotOf(key)]?.master
      const node = cluster.nodeByAddress?.get(address) ?? placed
      if (!node)
        throw new HitherError('STORE_UNAVAILABLE', 'no node of the Cluster serves this slot', { retryable: true })
      return cluster.nodeClient(node)
    },
    clients: async () => Promise.all(cluster.masters.map((node) => cluster.nodeClient(node))),
  }
}
