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
