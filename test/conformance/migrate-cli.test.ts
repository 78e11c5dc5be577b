import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startGateway } from 'hither/node'
import { afterAll, describe, expect, it } from 'vitest'
import { memcachedStore } from '../../adapters/memcached/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { freePort, type Server, startCluster, startServer } from '../../scripts/servers.ts'
import type { Store } from '../../src/store/store.ts'
import { rounds } from '../support/rounds.ts'
import { type CliRun, runCli } from '../support/run-cli.ts'

const KEYS = rounds({ quick: 40_000, soak: 100_000 })
const SECRET = 's3cret-4711'
const servers: Server[] = []
const runs: CliRun[] = []
const folder = mkdtempSync(join(tmpdir(), 'hither-migrate-'))
const start = async (name: Parameters<typeof startServer>[0], args: string[] = []): Promise<Server> => {
  const server = await startServer(name, { args })
  servers.push(server)
  return server
}
const run = (args: string[], env: Record<string, string> = {}): CliRun => {
  const one = runCli(['migrate', ...args], env)
  runs.push(one)
  return one
}
afterAll(async () => {
  for (const { child } of runs) child.kill('SIGKILL')
  await Promise.all(servers.map((server) => server.stop()))
  rmSync(folder, { recursive: true, force: true })
})

it('refuses to copy a server to itself under another name, and copies one of its databases to another', async () => {
  const { port } = await start('redis8')
  const [from, same] = [`redis://127.0.0.1:${port}`, `redis://localhost:${port}/0`]
  const state = join(folder, 'same.json')
  const refused = run([from, same, '--state', state])
  expect(await refused.ended).toBe(2)
  expect(refused.err()).toContain('from and to are one place')
  for (const database of ['/1', '?db=2'])
    expect(await run([from, `redis://localhost:${port}${database}`, '--state', state]).ended).toBe(0)
})

it('refuses to copy Memcached or NATS to itself under another name, whose large values it would delete', async () => {
  const state = join(folder, 'alias.json')
  const memcached = await start('memcached16', ['-I', '4m'])
  const store = memcachedStore({ servers: [memcached.url], maxValueBytes: 3_000_000 })
  await store.set('large', 'x'.repeat(2_000_000))
  for (const { url } of [memcached, await start('nats')]) {
    const refused = run([url, url.replace('127.0.0.1', 'localhost'), '--state', state])
    expect([await refused.ended, refused.err()]).toEqual([2, expect.stringContaining('from and to are one place')])
  }
  expect(await store.get('large')).toHaveLength(2_000_000)
  await store.close()
})

it('refuses to copy a Cluster to one of its nodes, and a node to its Cluster', { timeout: 60_000 }, async () => {
  const cluster = await startCluster()
  const [first = '', second = '', third = ''] = cluster.nodes.map(({ url }) => url)
  const other = await start('redis8')
  const state = join(folder, 'cluster.json')
  for (const [from, to] of [
    [[first, second, third].join(','), third],
    [first, [second, third].join(',')],
    [first, second],
  ] as const) {
    const refused = run([from, to, '--state', state])
    expect([await refused.ended, refused.err()]).toEqual([2, expect.stringContaining('from and to are one place')])
  }
  expect(await run([other.url, first, '--state', state]).ended).toBe(0)
  await cluster.stop()
})

/** An empty server that names its nodes without their ids, as those before Redis 4 do, and has its port in its `run_id`. */
async function startOld(): Promise<string> {
  const server = createServer((socket) => {
    const { port } = server.address() as AddressInfo
    const info = `run_id:${String(port).padStart(40, 'a')}\r\n`
    const replies: Record<string, string> = {
      PING: '+PONG\r\n',
      CLUSTER: `*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:${port}\r\n`,
      INFO: `$${info.length}\r\n${info}\r\n`,
      SCAN: '*2\r\n$1\r\n0\r\n*0\r\n',
    }
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      for (const [, verb = ''] of `${bytes}`.matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g))
        socket.write(replies[verb.toUpperCase()] ?? '-ERR unknown command\r\n')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  servers.push({ stop: async () => void server.close() } as Server)
  return `redis://127.0.0.1:${(server.address() as AddressInfo).port}`
}

it('takes servers that do not name the ids of their nodes for two places', async () => {
  const copied = run([await startOld(), await startOld(), '--state', join(folder, 'old.json')])
  await copied.ended
  expect(copied.err()).toContain('the state of the run is in')
  expect(copied.err()).not.toContain('one place')
})

const keysOf = (count: number): string[] => Array.from({ length: count }, (_, i) => `k:${i}`)
async function fill(store: Store, count: number): Promise<void> {
  const keys = keysOf(count)
  for (let at = 0; at < count; at += 5000)
    await Promise.all(keys.slice(at, at + 5000).map((key) => store.set(key, key, 3_600_000)))
}
async function missing(store: Store, count: number): Promise<number> {
  const keys = keysOf(count)
  let absent = 0
  for (let at = 0; at < count; at += 5000) {
    const part = keys.slice(at, at + 5000)
    const values = await store.getMany(part)
    absent += part.filter((key, i) => values[i] !== key).length
  }
  return absent
}

describe('hither migrate', { timeout: 180_000 }, () => {
  it(`killed twice in the middle of ${KEYS} keys and resumed, loses none and begins where it was`, async () => {
    const [source, target] = [await start('redis8', ['--requirepass', SECRET]), await start('valkey')]
    const from = tcpStore(source.url.replace('//', `//:${SECRET}@`))
    const to = tcpStore(target.url)
    await fill(from, KEYS)
    const state = join(folder, 'state.json')
    const args = [source.url.replace('//', `//:${SECRET}@`), target.url, '--state', state, '--rate', '100000', '--json']
    for (const wanted of [KEYS / 20, (3 * KEYS) / 10]) {
      const first = run(args)
      await expect
        .poll(() => to.transport?.send({ args: ['DBSIZE'], effect: 'read' }), { timeout: 60_000, interval: 20 })
        .toBeGreaterThan(wanted)
      first.child.kill('SIGKILL')
      await first.ended
      expect(existsSync(state)).toBe(true)
    }
    expect(statSync(state).mode & 0o777).toBe(0o600)
    expect(readFileSync(state, 'utf8')).not.toContain(SECRET)
    const { counts, cursor } = JSON.parse(readFileSync(state, 'utf8')) as { counts: { copied: number }; cursor: string }
    expect([counts.copied > KEYS / 4, cursor !== '']).toEqual([true, true])
    const last = run(args)
    expect([await last.ended, last.err()]).toEqual([0, expect.stringContaining(state)])
    expect(last.err()).toMatch(/\n\[#{30}\] 100 % [^\n]+\n$/)
    const result = JSON.parse(last.out()) as { copied: number; notMoved: unknown[] }
    expect(await missing(to, KEYS)).toBe(0)
    // The last run did not start over: each key was copied once, and at most one page more for each kill.
    expect([result.copied >= KEYS, result.copied < KEYS + 5000, result.notMoved]).toEqual([true, true, []])
    expect(existsSync(state)).toBe(false)
    for (const one of runs) expect(one.out() + one.err()).not.toContain(SECRET)
    await Promise.all([from.close(), to.close()])
  })

  it('goes from REST to Memcached and names what cannot be moved', async () => {
    const source = await start('redis7')
    const target = await start('memcached')
    const gateway = await startGateway({ redis: source.url, token: SECRET, port: 0 })
    const from = tcpStore(source.url)
    await from.set('a', '1')
    await from.transport?.send({ args: ['HSET', 'hash\u001b[2J', 'f', '1'], effect: 'once' })
    const one = run([gateway.url, target.url, '--state', join(folder, 'rest.json')], { HITHER_FROM_TOKEN: SECRET })
    expect([await one.ended, one.out()]).toEqual([
      0,
      expect.stringMatching(/^1 keys copied.*\n1 not moved: not a string.*\n {2}"hash\\u001b\[2J"\n$/),
    ])
    expect(one.out() + one.err()).not.toContain(SECRET)
    await from.close()
    await gateway.stop()
  })

  it('stops at a signal, or where the target cannot be reached, and says how to go on', async () => {
    const [source, target] = [await start('redis8'), await start('redis7')]
    const from = tcpStore(source.url)
    const to = tcpStore(target.url)
    await fill(from, 5000)
    const args = [source.url, target.url, '--state', join(folder, 'stop.json')]
    const slow = run([...args, '--rate', '1000'])
    await expect
      .poll(() => to.transport?.send({ args: ['DBSIZE'], effect: 'read' }), { timeout: 60_000 })
      .toBeGreaterThan(500)
    slow.child.kill('SIGINT')
    expect([await slow.ended, slow.out(), slow.err()]).toEqual([
      1,
      '',
      expect.stringMatching(/hither: stopped; the same command goes on/),
    ])
    // The state must not serve for another target, which lacks the keys copied so far.
    const elsewhere = run([source.url, `${target.url}/1`, '--state', join(folder, 'stop.json')])
    expect([await elsewhere.ended, elsewhere.err()]).toEqual([2, expect.stringMatching(/state is that of another run/)])
    expect(await run(args).ended).toBe(0)
    expect(await missing(to, 5000)).toBe(0)
    const dead = run([
      source.url,
      `redis://:${SECRET}@127.0.0.1:${await freePort()}`,
      '--state',
      join(folder, 'dead.json'),
    ])
    expect([await dead.ended, dead.err()]).toEqual([1, expect.stringMatching(/hither: STORE_UNAVAILABLE: /)])
    expect(dead.err()).not.toContain(SECRET)
    await Promise.all([from.close(), to.close()])
  })

  it('copies everything where nobody reads its progress any more', async () => {
    const [source, target] = [await start('redis8'), await start('redis7')]
    const from = tcpStore(source.url)
    const to = tcpStore(target.url)
    await fill(from, 3000)
    const one = run([source.url, target.url, '--state', join(folder, 'unread.json'), '--rate', '1000'])
    one.child.stderr?.once('data', () => one.child.stderr?.destroy())
    expect([await one.ended, one.out()]).toEqual([0, expect.stringMatching(/^3000 keys copied/)])
    expect(await missing(to, 3000)).toBe(0)
    await Promise.all([from.close(), to.close()])
  })

  it('refuses wrong usage, without the text of what was given', async () => {
    const broken = join(folder, 'broken.json')
    writeFileSync(broken, '{')
    const { url } = await start('redis8')
    const other = await start('redis7')
    const cases = [
      [],
      ['redis://127.0.0.1'],
      ['redis://127.0.0.1', 'redis://127.0.0.1'],
      ['redis://127.0.0.1', 'redis://h', 'redis://h'],
      ['redis://127.0.0.1', `mongodb://:${SECRET}@h`],
      ['redis://127.0.0.1', 'redis://h', '--rate', '0'],
      ['redis://127.0.0.1', 'redis://h', '--rate', 'x'],
      ['redis://127.0.0.1', 'https://example.com'],
    ]
    for (const one of [
      ...cases.map((args) => run(args)),
      run([url, other.url, '--state', broken]),
      run([url, other.url, '--namespace', 'a*']),
      run([url, other.url, '--state', join(folder, 'none', 'state.json')]),
      run([url, url.replace('redis:', 'valkey:')]),
      run([url, `${url}/0`]),
    ]) {
      expect([await one.ended, one.out(), one.err()]).toEqual([2, '', expect.stringMatching(/hither: [^\n]+\n$/)])
      expect(one.err()).not.toContain(SECRET)
    }
  })
})
