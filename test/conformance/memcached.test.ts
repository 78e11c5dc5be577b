import { afterAll, beforeAll, describe, it } from 'vitest'
import { memcachedStore } from '../../adapters/memcached/index.ts'
import { type Server, startServer } from '../../scripts/servers.ts'
import { describeStore } from '../../src/testing/index.ts'

for (const program of ['memcached16', 'memcached'] as const) {
  describe(program, () => {
    const servers: Server[] = []
    beforeAll(async () => {
      servers.push(await startServer(program), await startServer(program), await startServer(program))
    })
    afterAll(async () => {
      await Promise.all(servers.map((server) => server.stop()))
    })
    const harness = {
      elapse: (ms: number) => new Promise<void>((done) => setTimeout(done, ms)),
      skip: {
        'reads a foreign type as absent, alone and in a batch': 'memcached holds nothing but bytes',
      },
    }
    describeStore({ describe, it, afterAll }, `${program}, one server`, {
      open: () => memcachedStore({ servers: [servers[0]?.url ?? ''] }),
      ...harness,
    })
    describeStore({ describe, it, afterAll }, `${program}, three servers`, {
      open: () => memcachedStore({ servers: servers.map(({ url }) => url) }),
      ...harness,
    })
  })
}
