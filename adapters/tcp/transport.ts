import { checkSignal } from '../../src/protocol/arguments.ts'
import { type Call, withDeadline } from '../../src/store/call.ts'
import { scanKeys, timed } from '../../src/store/over-redis.ts'
import type { SendEach, Transport } from '../../src/store/transport.ts'
import { closed } from './errors.ts'
import { createListeners } from './listener.ts'
import { type Plan, readOptions, type TcpTransportOptions } from './options.ts'
import { createRouter, type Router } from './router.ts'
import { createLocator } from './sentinel.ts'
import type { Settings } from './settings.ts'
import { createSubscriber } from './subscriber.ts'

export interface TcpTransport extends Transport {
  readonly subscribe: NonNullable<Transport['subscribe']>
  readonly exclusive: NonNullable<Transport['exclusive']>
  readonly listen: NonNullable<Transport['listen']>
}

/**
 * Sends raw commands to Redis or Valkey over its own sockets: to one server, a Cluster, or the primary that Sentinels watch. It
 * connects at the first call. Commands of one run of microtasks share a write, and their replies come in order. A command that
 * waits (BLPOP, XREAD BLOCK, …) has a separate connection, as do subscriptions and the callers of `exclusive`. While a
 * connection opens, calls wait, up to their deadlines; between two attempts they reject at once. On a Cluster a command goes
 * to the node of its first key, and follows MOVED and ASK from there. Nothing is ever sent twice that may have run.
 *
 * Throws `INVALID_URL` or `INVALID_ARGUMENT`.
 */
export function tcpTransport(options: TcpTransportOptions): TcpTransport {
  return openTransport(options).transport
}

export interface OpenTransport {
  readonly transport: TcpTransport
  readonly sendEach: SendEach
  /** Whether the server is known to be a Cluster from the start. */
  readonly clustered: boolean
  /** On a Cluster: the `host:port` of a key's node, `''` while it is unknown. */
  part(key: string): string
  /** SCAN sees one node, so every primary is scanned, one after another. */
  scan(pattern: string, call?: Call, timeoutMs?: number): AsyncIterable<string>
}

export function openTransport(options: TcpTransportOptions): OpenTransport {
  const plan = readOptions(options)
  const settings: Settings = {
    ...located(plan),
    onCluster() {
      transport.cluster = true
    },
  }
  const router = createRouter({ ...plan, settings })
  const others = atAnyNode(settings, router)
  let subscribedAt = ''
  const atSubscriptions = atAnyNode(settings, router, (name) => {
    subscribedAt = name
  })
  const onGap = (): void => plan.emit('feed-gap', 'SUBSCRIBE')
  const subscriber = createSubscriber(atSubscriptions, onGap, () => router.hasLeft(subscribedAt))
  const listeners = createListeners(others)
  let over = false
  const check = (): void => {
    if (over) throw closed()
  }
  const transport: { -readonly [K in keyof TcpTransport]: TcpTransport[K] } = {
    cluster: plan.clustered,
    send: router.send,
    sendMany: router.sendMany,
    transaction: router.transaction,
    async exclusive(call, key) {
      check()
      return router.exclusive(call, key)
    },
    wait: router.send,
    async subscribe(channel, onMessage, onGap) {
      check()
      return subscriber.subscribe(channel, onMessage, onGap)
    },
    async listen(command, onReply, onEnd) {
      check()
      return listeners.listen(command, onReply, onEnd)
    },
    async close() {
      if (over) return
      over = true
      subscriber.close()
      listeners.close()
      await router.close()
    },
  }
  const scan: OpenTransport['scan'] = async function* (pattern, call, timeoutMs) {
    checkSignal(call?.signal)
    for (const node of await router.primaries(withDeadline(call, timeoutMs)))
      yield* scanKeys(timed(node.calls(0).send, timeoutMs), pattern, call)
  }
  return { transport, sendEach: router.sendEach, clustered: plan.clustered, part: router.part, scan }
}

/** The settings of connections to the server. With Sentinels, each connection asks them for the primary. */
export function located({ settings, sentinels }: Plan): Settings {
  if (!sentinels) return settings
  const { addresses, name } = sentinels
  return { ...settings, primary: true, locate: createLocator(addresses, name, settings.address, settings) }
}

/** Settings that lead to any node that is up. On a Cluster a message published at one node reaches subscribers at all nodes. */
function atAnyNode(settings: Settings, router: Router, onNode?: (name: string) => void): Settings {
  const locate = async () => {
    // Nodes have the names of the table, which may be others than those of the options. If no node replies, the connection fails.
    await router.primaries().catch(() => {})
    const node = router.any()
    onNode?.(node.name)
    return node.settings.address
  }
  return { ...settings, locate: settings.locate ?? locate }
}
