import { HitherError } from '../../src/errors.ts'
import { elapsedMs, NEVER, now } from '../../src/runtime/clock.ts'
import { random } from '../../src/runtime/random.ts'
import { firstKey, slotOf } from '../../src/store/hash-slot.ts'
import type { RedisAddress } from '../../src/store/redis-url.ts'
import type { Command } from '../../src/store/transport.ts'
import { createNode, type Node } from './node.ts'
import type { Settings } from './settings.ts'
import { type NatMap, readSlots, type SlotNodes, splitName } from './topology.ts'

/** The table of slots is asked for once in so long, however many calls find it wrong. */
const REFRESH_MS = 100
/** How long one node is waited for, before another is asked. */
const ASK_MS = 1000
/** How long the table is believed where replicas are read, which come and go without a word. */
const BELIEVE_MS = 10_000
/** How long a replica that failed is left alone. */
const AVOID_MS = 5000
/** A node that left the table is forgotten after so long: what is under way with it has ended. */
const FORGET_MS = 60_000

export interface NodesOptions {
  readonly settings: Settings
  /** Where to ask first: one server, or some nodes of a Cluster. */
  readonly seeds: readonly RedisAddress[]
  /** The seeds are nodes of a Cluster. @default found out from what they say */
  readonly clustered: boolean
  readonly natMap: NatMap
  /** Reads of one key may go to a replica. */
  readonly replicas: boolean
  readonly connections: number
  readonly idleMs: number
}

export interface Nodes {
  isClustered(): boolean
  /** Resolves once it is known which node serves which slot, or rejects; undefined: nothing is to be waited for. */
  learned(): Promise<void> | undefined
  /** The node for a command's first key, and its slot; throws where no node serves the slot. */
  route(command: Command): { readonly node: Node; readonly slot: number }
  /** The node of this `host:port`. */
  at(name: string): Node
  /** A slot has another primary, as a node just said. */
  move(slot: number, name: string): void
  /** A replica did not answer: reads go elsewhere for a while. */
  avoid(replica: Node): void
  /** Learns the table anew, unless that was just done; from `doubted` only where no other node tells it. */
  refresh(doubted?: Node): Promise<void>
  /** A node to which any may speak: one with a connection, where there is one. */
  any(): Node
  /** Each once. */
  primaries(): Node[]
  /** `host:port` of a key's primary, `''` while it is not known. */
  part(key: string): string
  close(): Promise<void>
}

/** The nodes that are known, and which of them serves which slot. One server is one node that serves all. */
export function createNodes(options: NodesOptions): Nodes {
  const { seeds, settings, natMap, replicas, connections, idleMs } = options
  const nodes = new Map<string, Node>()
  const absentSince = new Map<string, number>()
  /** Until when, by the clock that is never set. */
  const avoided = new WeakMap<Node, number>()
  let clustered = options.clustered
  let table: (SlotNodes | undefined)[] | undefined
  /** A table that redirects alone have made knows few of the slots. */
  let isWhole = false
  let refreshing: Promise<void> | undefined
  /** By the clock that is never set, which begins with the process. */
  let refreshedAt = -NEVER
  let fault: unknown
  let speaker: Node | undefined

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
    // The one that was heard last first: another may have stopped.
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
  /** Of the replicas that have not failed lately one whose connection stands, or else any. */
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
      // What is published at one node all are told.
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
    primaries,
    part: (key) => table?.[slotOf(key)]?.[0] ?? '',
    async close() {
      await Promise.all([...nodes.values()].map((node) => node.close()))
    },
  }
}

/** Reads that a replica answers: what a script does is not known. */
function isPlainRead({ args, effect }: Command): boolean {
  return (
    effect === 'read' &&
    /^(GET|MGET|[HSZ]?SCAN|H(GET|MGET|GETALL)|Z?RANGE|SMEMBERS|EXISTS|P?TTL)$/.test(String(args[0]))
  )
}
