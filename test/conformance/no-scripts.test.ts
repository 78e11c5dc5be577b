import { Redis } from 'ioredis'
import { afterAll, describe, expect, it } from 'vitest'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'
import { describeStore, testCounter } from '../../src/testing/index.ts'

const admin = new Redis(process.env.REDIS7_URL ?? '')
const url = new URL(process.env.REDIS7_URL ?? '')
url.username = 'noscripts'
url.password = 'secret'

const open = async () => {
  await admin.call('ACL', 'SETUSER', 'noscripts', 'on', '>secret', '~*', '&*', '+@all', '-@scripting')
  return ioredisStore(await connect(url.href))
}

afterAll(() => admin.disconnect())

describeStore({ describe, it, afterAll }, 'ioredis, scripts refused', {
  open,
  elapse: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  foreign: async (key) => {
    await admin.rpush(key, 'x')
  },
  skip: {
    'acts in call order with an operation, the script cache cold':
      'without scripts an operation runs on a connection of its own: await it before the next call on its key',
    'runs an operation as its `apply` says, on random histories':
      'the case sends operations and reads of one key together; see above',
  },
})

describe('without scripts', () => {
  it('loses no increment of 50 callers at once, and counts none twice', async () => {
    const store = await open()
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => store.run(testCounter, `noscripts:${url.port}`, [1, 5000])),
    )
    expect([...replies].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
    await store.close()
  })
})
