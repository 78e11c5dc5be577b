import { HitherError } from '../../src/errors.ts'
import { elapsedMs, NEVER, now } from '../../src/runtime/clock.ts'
import { random } from '../../src/runtime/random.ts'
import { firstKey, slotOf } from '../../src/store/hash-slot.ts'
import type { RedisAddress } from '../../src/store/redis-url.ts'
import type { Command } from '../../src/store/transport.ts'
import { createNode, type Node } from './node.ts'
import type { Settings } from './settings.ts'
import { type NatMap, readSlots, type SlotNodes, splitName } from './topology.ts'

/** The table of slots is read at most once in this time, in milliseconds, however many calls find it wrong. */
const REFRESH_MS = 100
/** How long to wait for one node before asking another, in milliseconds. */
const ASK_MS = 1000
/** How long the table is used for replicas and for subscriptions, whose nodes come and go without a notice, in milliseconds. */
const BELIEVE_MS = 10_000
/** How long a replica that failed gets no reads, in milliseconds. */
const AVOID_MS = 5000
/** How long a node that has left the table is kept, in milliseconds: by then the commands under way on it have ended. */
const FORGET_MS = 60_000

export interface NodesOptions {
  readonly settings: Settings
  /** The servers to contact first: one server, or some nodes of a Cluster. */
  readonly seeds: readonly RedisAddress[]
  /** Whether the seeds are known to be nodes of a Cluster. If false, a MOVED reply still shows that they are. */
  readonly clustered: boolean
  readonly natMap: NatMap
  /** Whether plain reads may go to a replica. */
  readonly replicas: boolean
  readonly connections: number
  readonly idleMs: number
}

export interface Nodes {
  isClustered(): boolean
  /** Resolves once it is known which node serves which slot, or rejects. Undefined: there is nothing to wait for. */
  learned(): Promise<void> | undefined
  /** The node for a command's first key, and the key's slot. Throws if no node serves the slot. */
  route(command: Command): { readonly node: Node; readonly slot: number }
  /** The node of this `host:port`. */
  at(name: string): Node
  /** Records that a slot has another primary, as a node has just replied. */
  move(slot: number, name: string): void
  /** Records that a replica failed: reads go to other nodes for a while. */
  avoid(replica: Node): void
  /** Reads the table again, unless that was just done. Asks `doubted` only if no other node has a table. */
  refresh(doubted?: Node): Promise<void>
  /** A node for commands that any node can run: one with an open connection, if there is one. */
  any(): Node
  /** Whether this `host:port` was of a node, and is none of the Cluster any more. Such a node gets no messages of the others. */
  hasLeft(name: string): boolean
  /** Each primary once; the seeds while there is no table. */
  primaries(): Node[]
  /** `host:port` of a key's primary, `''` while it is unknown. */
  part(key: string): string
  close(): Promise<void>
}

/** The known nodes, and which of them serves which slot. A single server is one node that serves all slots. */
export function createNodes(options: NodesOptions): Nodes {
  const { seeds, settings, natMap, replicas, connections, idleMs } = options
  const nodes = new Map<string, Node>()
  const absentSince = new Map<string, number>()
  /** Until when each replica is avoided, by `elapsedMs`. */
  const avoided = new WeakMap<Node, number>()
  let clustered = options.clustered
  let table: (SlotNodes | undefined)[] | undefined
  /** Whether the table was read from a node. One made of redirects alone has only a few of the slots. */
  let isWhole = false
  let refreshing: Promise<void> | undefined
  /** By `elapsedMs`, which begins with the process. */
  let refreshedAt = -NEVER
  let fault: unknown
  let speaker: Node | undefined
  /** The names in the table that was read last, and the names that were in earlier ones alone. */
  let members: ReadonlySet<string> = new Set()
  let left: ReadonlySet<string> = new Set()

  const open = (address: RedisAddress, readonly: boolean): Node => {
    const node = createNode({ ...settings, address, ...(readonly ? { readonly } : {}) }, idleMs, connections)
    nodes.set(readonly ? `${node.name} reads` : node.name, node)
    return node
  }
  const [first, ...others] = seeds.map((seed) => open(seed, false)) as [Node, ...Node[]]
  const only = { node: first, slot: 0 }
  const at = (name: string, readonly = false): Node =>
    nodes.get(readonly ? `${name} reads` : name) ??
    open({ ...first.settings.address, ...splitName(name), path: '' }, readonly)

  const forget = (known: ReadonlySet<string>): void => {
    left = new Set([...left, ...members].filter((name) => !known.has(name)))
    members = known
    if (speaker && !known.has(speaker.name)) speaker = undefined
    for (const [name, node] of nodes) {
      if (known.has(node.name)) absentSince.delete(name)
      else if (!absentSince.has(name)) absentSince.set(name, now())
      else if (now() - (absentSince.get(name) as number) > FORGET_MS && node !== first) {
        nodes.delete(name)
        absentSince.delete(name)
        void node.close()
      }
    }
  }
  const learn = async (doubted?: Node): Promise<void> => {
    const known = [...nodes.values()].filter((node) => !node.settings.readonly)
    const rank = (node: Node): number => (node === doubted ? -1 : node.heardAt())
    // Ask first the node that was heard from last: others may be down.
    for (const node of known.toSorted((a, b) => rank(b) - rank(a))) {
      try {
        const slots: Command = { args: ['CLUSTER', 'SLOTS'], effect: 'read' }
        const reply = await node.calls(0).send(slots, { deadline: now() + ASK_MS })
        table = readSlots(reply, node.settings.address.host, natMap)
        isWhole = true
        fault = undefined
        return forget(new Set(table.flatMap((names) => names ?? [])))
      } catch (error) {
        fault = error
      }
    }
    throw fault
  }
  const refresh: Nodes['refresh'] = (doubted) => {
    if (refreshing) return refreshing
    if (elapsedMs() - refreshedAt < REFRESH_MS) return fault ? Promise.reject(fault) : Promise.resolve()
    refreshing = learn(doubted).finally(() => {
      refreshing = undefined
      refreshedAt = elapsedMs()
    })
    return refreshing
  }

  const any = (): Node => {
    if (speaker?.isReady()) return speaker
    const all = clustered ? primaries() : []
    speaker = all.find((node) => node.isReady()) ?? all[Math.floor(random() * all.length)] ?? first
    return speaker
  }
  const primaries = (): Node[] => {
    const names = new Set(table?.flatMap((slotNodes) => slotNodes?.[0] ?? []))
    return names.size > 0 ? [...names].map((name) => at(name)) : [first, ...others]
  }
  /** A replica that has not failed lately: one with an open connection, or any of them if none has one. */
  const replica = (names: SlotNodes): Node | undefined => {
    const atMs = elapsedMs()
    if (atMs - refreshedAt > BELIEVE_MS) void refresh().catch(() => {})
    const all = names
      .slice(1)
      .map((name) => at(name, true))
      .filter((node) => !((avoided.get(node) ?? 0) > atMs))
    const ready = all.filter((node) => node.isReady())
    const from = ready.length > 0 ? ready : all
    return from[Math.floor(random() * from.length)]
  }
  return {
    isClustered: () => clustered,
    learned: () => (clustered && !table ? refresh() : undefined),
    route(command) {
      if (!clustered) return connections > 1 ? { node: first, slot: slotOf(firstKey(command.args)) } : only
      const slot = slotOf(firstKey(command.args))
      // A message published at one node reaches all nodes.
      if (command.args[0] === 'PUBLISH') return { node: any(), slot }
      const names = table?.[slot]
      if (!names) {
        if (!isWhole) return { node: any(), slot }
        void refresh().catch(() => {})
        throw new HitherError('STORE_UNAVAILABLE', 'no node of the Cluster serves this slot', { retryable: true })
      }
      const mayBeStale = replicas && isPlainRead(command)
      return { node: (mayBeStale && replica(names)) || at(names[0] as string), slot }
    },
    at: (name) => at(name),
    move(slot, name) {
      clustered = true
      settings.onCluster()
      table ??= new Array(slot)
      table[slot] = [name]
    },
    avoid: (node) => void avoided.set(node, elapsedMs() + AVOID_MS),
    refresh,
    any,
    hasLeft(name) {
      // If no node replies, a later heartbeat asks again.
      if (clustered && elapsedMs() - refreshedAt > BELIEVE_MS) void refresh().catch(() => {})
      return left.has(name)
    },
    primaries,
    part: (key) => table?.[slotOf(key)]?.[0] ?? '',
    async close() {
      await Promise.all([...nodes.values()].map((node) => node.close()))
    },
  }
}

/** Whether a replica may serve the command. Only plain reads: nothing is known of what a script does. */
function isPlainRead({ args, effect }: Command): boolean {
  return (
    effect === 'read' &&
    /^(GET|MGET|[HSZ]?SCAN|H(GET|MGET|GETALL)|Z?RANGE|SMEMBERS|EXISTS|P?TTL)$/.test(String(args[0]))
  )
}
