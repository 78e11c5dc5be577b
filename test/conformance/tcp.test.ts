import { Redis } from 'ioredis'
import { afterAll, describe, it } from 'vitest'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { describeStore } from '../../src/testing/index.ts'

const servers = { 'Redis 7': 'REDIS7_URL', 'Redis 8': 'REDIS8_URL', Valkey: 'VALKEY_URL' } as const

for (const [name, variable] of Object.entries(servers)) {
  const url = process.env[variable] ?? ''
  const admin = new Redis(url)
  afterAll(() => admin.disconnect())
  for (const protocol of [2, 3] as const) {
    describeStore({ describe, it, afterAll }, `tcp, RESP${protocol}, ${name}`, {
      open: () => tcpStore({ url, protocol }),
      elapse: (ms) => new Promise((done) => setTimeout(done, ms)),
      foreign: async (key) => {
        await admin.rpush(key, 'x')
      },
      forgetScripts: async () => {
        await admin.script('FLUSH')
      },
    })
  }
}

const nodes = (): string[] => (process.env.CLUSTER_NODES as string).split(',').map((node) => `redis://${node}`)
const ways = {
  'tcp, Cluster': () => tcpStore(nodes()),
  'tcp, Cluster, RESP3 and 3 connections a node': () => tcpStore({ url: nodes(), protocol: 3, connections: 3 }),
  'tcp, one url of three nodes': () => tcpStore(nodes()[0] as string),
  'tcp, 4 connections': () => tcpStore({ url: process.env.REDIS8_URL as string, connections: 4 }),
} as const
for (const [name, open] of Object.entries(ways)) {
  const admin = open()
  afterAll(() => admin.close())
  describeStore({ describe, it, afterAll }, name, {
    open,
    elapse: (ms) => new Promise((done) => setTimeout(done, ms)),
    foreign: async (key) => {
      await admin.transport.send({ args: ['RPUSH', key, 'x'], effect: 'once' })
    },
    forgetScripts: async () => {
      for (const url of name.includes('4 conn') ? [process.env.REDIS8_URL as string] : nodes()) {
        const client = new Redis(url)
        await client.script('FLUSH')
        client.disconnect()
      }
    },
  })
}
