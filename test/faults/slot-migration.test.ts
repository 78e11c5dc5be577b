import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, ioredisTransport } from '../../adapters/ioredis/index.ts'
import { freePort, type Server, startServer } from '../../scripts/servers.ts'
import { slotOf } from '../../src/store/hash-slot.ts'
import type { Transport } from '../../src/store/transport.ts'
import { testCounter } from '../../src/testing/contract.ts'
import { type FaultyStore, pause, startWay, type Way } from './support/ways.ts'

// A slot moves between the nodes of a real Cluster while its keys are in use: MOVED, ASK and TRYAGAIN.

const OLD = 40
const NEW = 20

interface Node {
  readonly port: number
  readonly id: string
  readonly transport: Transport
}

describe.each(['Cluster', 'own Cluster'] as const)('a slot that moves, %s', (name) => {
  let way: Way
  let nodes: Node[]
  let fourth: Server
  beforeAll(async () => {
    way = await startWay(name)
    const bus = await freePort()
    const cluster = ['--cluster-enabled', 'yes', '--cluster-port', `${bus}`, '--cluster-announce-ip', '127.0.0.1']
    fourth = await startServer('redis8', { args: [...cluster, '--cluster-config-file', 'nodes.conf'] })
    nodes = await Promise.all([...way.servers, fourth].map(nodeOf))
    await say(nodes[0], 'CLUSTER', 'MEET', '127.0.0.1', fourth.port, bus)
    for (let left = 1000; left > 0; left--) {
      const known = await Promise.all(nodes.map((node) => say(node, 'CLUSTER', 'INFO')))
      if (known.every((info) => /cluster_state:ok[^]*cluster_known_nodes:4/.test(String(info)))) break
      await pause(20)
    }
  }, 60_000)
  afterAll(async () => {
    await Promise.all(nodes.map(({ transport }) => transport.close()))
    await way.stop()
    await fourth.stop()
  }, 30_000)

  for (const [title, to] of [
    ['to another node with slots', 1],
    ['to a node that had none, which the client has not seen', 3],
  ] as const) {
    it(`${title}: commands go on, each runs once`, async () => {
      // All keys have one tag, whose slot is on the first node.
      const tag = Array.from({ length: 200 }, (_, i) => `{m${to}${i}}`).find((each) => slotOf(each) <= 5460) as string
      const keys = Array.from({ length: OLD + NEW }, (_, i) => `${tag}:${i}`)
      const store = await way.open({ timeoutMs: 10_000 })
      await Promise.all(keys.slice(0, OLD).map((key) => store.run(testCounter, key, [1, 0])))
      const load = startLoad(store, keys)
      try {
        await pause(50)
        await migrate(slotOf(tag), nodes[0] as Node, nodes[to] as Node, nodes, load.turn)
        await load.turn()
      } finally {
        await load.stop()
      }
      expect(load.errors).toEqual([])
      const replies = keys.map((key) => load.replies.get(key) ?? [])
      const first = (i: number): number => (i < OLD ? 2 : 1)
      // Exactly one call got each count: none ran twice, none was lost.
      replies.forEach((counts, i) => {
        expect(counts.toSorted((a, b) => a - b)).toEqual(counts.map((_, n) => n + first(i)))
        expect(counts.length).toBeGreaterThan(1)
      })
      const last = replies.map((counts, i) => String(counts.length + first(i) - 1))
      expect(await way.direct.getMany(keys)).toEqual(last)
      expect(await store.getMany(keys)).toEqual(last)
    }, 60_000)
  }
})

interface Load {
  /** The counts that calls resolved to, by key, in the order of their replies. */
  readonly replies: Map<string, number[]>
  readonly errors: unknown[]
  /** Resolves once every key has been counted once more. */
  turn(): Promise<void>
  stop(): Promise<void>
}

function startLoad(store: FaultyStore, keys: readonly string[]): Load {
  const replies = new Map<string, number[]>(keys.map((key) => [key, []]))
  const errors: unknown[] = []
  let over = false
  let turns = 0
  const count = async (key: string): Promise<void> => {
    const counts = replies.get(key) as number[]
    const least = Math.max(0, ...counts)
    try {
      counts.push(await store.run(testCounter, key, [1, 0]))
      if (Number(await store.get(key)) < least) errors.push('a read that missed an acknowledged count')
      await store.delete([`${key}:a`, `${key}:b`])
    } catch (error) {
      errors.push(error)
    }
  }
  const work = (async () => {
    while (!over) {
      // Counts keys in batches of 1 to 10 calls in one tick, then all keys in one tick.
      for (let i = 0; i < keys.length; i += 10) await Promise.all(keys.slice(i, i + 1 + (turns % 10)).map(count))
      await Promise.all(keys.map(count))
      turns++
    }
  })()
  return {
    replies,
    errors,
    async turn() {
      for (const target = turns + 2; turns < target && errors.length === 0; ) await pause(2)
    },
    async stop() {
      over = true
      await work
    },
  }
}

async function migrate(
  slot: number,
  from: Node,
  to: Node,
  all: readonly Node[],
  turn: () => Promise<void>,
): Promise<void> {
  await say(to, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', from.id)
  await say(from, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', to.id)
  await turn()
  for (let moved = 0; ; moved++) {
    const [key] = (await say(from, 'CLUSTER', 'GETKEYSINSLOT', slot, 1)) as string[]
    if (key === undefined) break
    await say(from, 'MIGRATE', '127.0.0.1', to.port, key, 0, 1000)
    if (moved % 10 === 0) await turn()
  }
  await turn()
  for (const node of [to, from, ...all])
    await say(node, 'CLUSTER', 'SETSLOT', slot, 'NODE', to.id).catch(() => undefined)
}

async function nodeOf({ port, url }: Server): Promise<Node> {
  const transport = ioredisTransport(await connect(url))
  const node = { port, id: '', transport }
  return { ...node, id: String(await say(node, 'CLUSTER', 'MYID')) }
}

async function say(node: Node | undefined, ...args: (string | number)[]): Promise<unknown> {
  const reply = await node?.transport.send({ args, effect: 'once' })
  if (reply && typeof reply === 'object' && 'message' in reply) throw new Error(reply.message)
  return reply
}
