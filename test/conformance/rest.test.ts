import { Redis } from 'ioredis'
import { afterAll, describe, it } from 'vitest'
import { startGateway } from '../../adapters/node/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import { describeStore } from '../../src/testing/index.ts'

for (const [name, url] of [
  ['Redis 7', process.env.REDIS7_URL ?? ''],
  ['Redis 8', process.env.REDIS8_URL ?? ''],
  ['Valkey', process.env.VALKEY_URL ?? ''],
] as const) {
  const admin = new Redis(url, { lazyConnect: true })
  const gateway = startGateway({ redis: url })
  afterAll(async () => {
    await (await gateway).stop()
    admin.disconnect()
  })
  describeStore({ describe, it, afterAll }, `REST → gateway → ${name}`, {
    open: async () => upstashStore(await gateway),
    elapse: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    foreign: async (key) => {
      await admin.rpush(key, 'x')
    },
    forgetScripts: async () => {
      await admin.script('FLUSH')
    },
  })
}
