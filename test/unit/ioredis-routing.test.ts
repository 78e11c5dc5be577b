import { expect, it } from 'vitest'
import type { Peer } from '../../adapters/ioredis/client.ts'
import { createRouting } from '../../adapters/ioredis/routing.ts'
import { ReplyError } from '../../src/store/transport.ts'

/**
 * A Cluster client that is reading its slot table already, as one that has just lost a connection does. For now it knows one
 * node only.
 */
function clientWithout(address: string): Peer {
  const nodes = [{ status: 'ready', options: { host: '10.0.0.1', port: 7001 } } as unknown as Peer]
  const client = {
    options: {},
    slots: [],
    nodes: () => nodes,
    refreshSlotsCache: (done: () => void) => done(),
    connectionPool: {
      findOrCreate({ host, port }: { host: string; port: number }) {
        const node = { status: 'wait', options: { host, port } } as unknown as Peer
        if (`${host}:${port}` === address) nodes.push(node)
        return node
      },
    },
  }
  return client as unknown as Peer
}

it.each(['MOVED', 'ASK'])('a node that is not in the table is opened where %s names it', async (word) => {
  const client = clientWithout('10.0.0.7:7001')
  const unknown = (): never => {
    throw new Error('no node is known')
  }
  const { route, follow } = createRouting(client, unknown, () => undefined)
  const node = await follow(new ReplyError(`${word} 12182 10.0.0.7:7001`), 5)
  expect(node?.options).toMatchObject({ host: '10.0.0.7', port: 7001 })
  // Slot 12182 is that of the key `foo`.
  if (word === 'MOVED') expect(route(['GET', 'foo'])).toBe(node)
})

it.each([
  'CLUSTERDOWN The cluster is down',
  'CLUSTERDOWN Hash slot not served',
  'TRYAGAIN Multiple keys request during rehashing of slot',
])('%s names no node: the table is read again after a while', async (message) => {
  let reads = 0
  const opened: unknown[] = []
  const client = {
    ...clientWithout(''),
    refreshSlotsCache(done: () => void) {
      reads++
      done()
    },
    connectionPool: { findOrCreate: (node: unknown) => opened.push(node) },
  } as unknown as Peer
  const { follow } = createRouting(
    client,
    () => new Error('no node is known') as never,
    () => undefined,
  )
  expect(await follow(new ReplyError(message), 5)).toBeUndefined()
  expect([reads, opened]).toEqual([1, []])
})
