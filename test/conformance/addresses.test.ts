import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'
import { startGateway } from '../../adapters/node/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import { type Server, startServer } from '../../scripts/servers.ts'
import type { AtomicStore } from '../../src/store/store.ts'
import type { Wire } from '../../src/store/transport.ts'

// Whatever a url says reaches the server, over each kind of store that takes a url.

type Opened = Omit<AtomicStore, 'transport'> & Required<Pick<AtomicStore, 'transport'>>
const ways: Record<string, (url: string) => Promise<{ store: Opened; stop(): Promise<void> }>> = {
  tcp: async (url) => {
    const store = tcpStore({ url }) as Opened
    return { store, stop: () => store.close() }
  },
  ioredis: async (url) => {
    const store = ioredisStore(await connect(url)) as Opened
    return { store, stop: () => store.close() }
  },
  gateway: async (redis) => {
    const gateway = await startGateway({ redis })
    const store = upstashStore(gateway) as unknown as Opened
    return {
      store,
      stop: async () => {
        await store.close()
        await gateway.stop()
      },
    }
  },
}

let server: Server
let socket: string
const dir = mkdtempSync(join(tmpdir(), 'hither-socket-'))
beforeAll(async () => {
  socket = join(dir, 'redis.sock')
  server = await startServer('redis8', { args: ['--unixsocket', socket] })
  const admin = tcpStore({ url: server.url }) as Opened
  const user = ['ACL', 'SETUSER', 'empty', 'on', '>', '~*', '&*', '+@all']
  await admin.transport.send({ args: user, effect: 'repeat' })
  await admin.close()
})
afterAll(async () => {
  await server.stop()
  rmSync(dir, { recursive: true })
})

describe.each(Object.entries(ways))('a url, %s', (name, open) => {
  const ask = async (url: string, ...args: string[]): Promise<Wire> => {
    const { store, stop } = await open(url)
    try {
      return await store.transport.send({ args, effect: 'repeat' }, { deadline: Date.now() + 5000 })
    } finally {
      await stop()
    }
  }
  const at = (rest: string, user = ''): string => `redis://${user}127.0.0.1:${server.port}${rest}`

  it('logs in as the user it names, also with an empty password', async () => {
    for (const user of ['empty:@', 'empty@']) {
      // The gateway passes no ACL command. PING will do, since the gateway starts only if its login succeeds.
      if (name === 'gateway') expect(await ask(at('', user), 'PING')).toBe('PONG')
      else expect(await ask(at('', user), 'ACL', 'WHOAMI')).toBe('empty')
    }
    await expect(ask(at('', 'nobody:@'), 'PING')).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
  })
  it('writes to the database it names, by path or parameter', async () => {
    for (const [db, rest] of [
      ['2', '/2'],
      ['3', '?db=3'],
      ['4', '/4?db=4&family=4'],
    ] as const) {
      expect(await ask(at(rest), 'SET', `address:${name}`, db)).toBe('OK')
      expect(await ask(at(`/${db}`), 'GET', `address:${name}`)).toBe(db)
    }
    expect(await ask(at('/0'), 'GET', `address:${name}`)).toBe(null)
  })
  it('goes through a Unix socket', async () => {
    expect(await ask(`unix://${socket}?db=5`, 'SET', `socket:${name}`, 'x')).toBe('OK')
    expect(await ask(`unix://empty:@${socket}?db=5`, 'GET', `socket:${name}`)).toBe('x')
    expect(await ask(at('/5'), 'GET', `socket:${name}`)).toBe('x')
  })
  it('is refused where something of it would be ignored', async () => {
    for (const rest of ['?password=x', '?ssl_cert_reqs=none', '#x', '?db=x']) {
      await expect(ask(at(rest), 'GET', 'x')).rejects.toMatchObject({ code: 'INVALID_URL' })
    }
  })
})
