import { createServer } from 'node:net'
import { connect } from '@nats-io/transport-node'
import { startGateway } from 'hither/node'
import { afterAll, describe, expect, it } from 'vitest'
import { memcachedStore } from '../../adapters/memcached/index.ts'
import { natsStore } from '../../adapters/nats/index.ts'
import { tcpTransport } from '../../adapters/tcp/index.ts'
import { freePort, type Server, startServer } from '../../scripts/servers.ts'
import { type CliRun, runCli } from '../support/run-cli.ts'

interface Report {
  readonly system: string
  readonly version: string
  readonly latency: Record<string, { p50: number; p99: number }>
  readonly checks: { readonly name: string; readonly ok: boolean; readonly costs: string }[]
  readonly acl: string | null
}

const SECRET = 's3cret-4711'
const servers: Server[] = []
const runs: CliRun[] = []
const start = async (name: Parameters<typeof startServer>[0], args: string[] = []): Promise<Server> => {
  const server = await startServer(name, { args })
  servers.push(server)
  return server
}
afterAll(async () => {
  for (const { child } of runs) child.kill('SIGKILL')
  await Promise.all(servers.map((server) => server.stop()))
})

async function send(url: string, ...args: (string | number)[]): Promise<unknown> {
  const transport = tcpTransport({ url })
  const reply = await transport.send({ args, effect: 'once' })
  await transport.close()
  return reply
}
const names = (report: Report, ok: boolean): string[] =>
  report.checks.filter((one) => one.ok === ok).map(({ name }) => name)
const costs = (report: Report, name: string): string =>
  report.checks.find((one) => one.name === name)?.costs ?? '(absent)'

/** Runs `hither doctor --json`. Expects that it prints one JSON text and nothing else, and never a secret. */
async function examine(
  url: string,
  args: string[] = [],
  env: Record<string, string> = {},
): Promise<{ code: number | null; report: Report; err: string }> {
  const run = runCli(['doctor', url, '--json', ...args], env)
  runs.push(run)
  const code = await run.ended
  expect(run.out() + run.err()).not.toContain(SECRET)
  expect(run.out(), run.err()).toMatch(/^\{[^\n]*\}\n$/)
  return { code, report: JSON.parse(run.out()) as Report, err: run.err() }
}
const ALL = ['reach', 'store', 'operations', 'cache', 'limits', 'locks', 'sessions', 'counters', 'near', 'eviction']

describe('hither doctor', { timeout: 120_000 }, () => {
  for (const [program, system] of [
    ['redis7', 'Redis'],
    ['redis8', 'Redis'],
    ['valkey', 'Valkey'],
  ] as const) {
    it(`finds all of ${program} well, and leaves no key`, async () => {
      const { url } = await start(program)
      const { code, report, err } = await examine(url)
      expect([code, names(report, true), report.system]).toEqual([0, ALL, system])
      expect(report.version).toMatch(/^\d+\.\d+\.\d+/)
      expect(Object.keys(report.latency)).toEqual(['get', 'getMany', 'set', 'run', 'delete', 'call'])
      for (const { p50, p99 } of Object.values(report.latency)) expect(p50 > 0 && p99 >= p50).toBe(true)
      expect(err).toContain('ok locks')
      expect(await send(url, 'DBSIZE')).toBe(0)
      // A user with only the rights of the printed ACL line is enough.
      const [, , user, ...rights] = (report.acl as string).replace('PASSWORD', SECRET).split(' ')
      expect(await send(url, 'ACL', 'SETUSER', user as string, ...rights)).toBe('OK')
      const limited = await examine(url.replace('//', `//app:${SECRET}@`))
      expect([limited.code, names(limited.report, false)]).toEqual([0, ['near', 'eviction']])
      expect(await send(url, 'DBSIZE')).toBe(0)
    })
  }

  it('gives each feature a line of rights that is enough for it', async () => {
    const { url } = await start('redis8')
    for (const feature of ['cache', 'limits', 'locks', 'sessions', 'counters', 'near']) {
      const { report } = await examine(url, ['--for', feature])
      const [, , , ...rights] = (report.acl as string).replace('PASSWORD', SECRET).split(' ')
      await send(url, 'ACL', 'SETUSER', feature, ...rights)
      const limited = await examine(url.replace('//', `//${feature}:${SECRET}@`), ['--for', feature])
      expect([feature, limited.code, costs(limited.report, feature)]).toEqual([feature, 0, ''])
    }
    expect(await send(url, 'DBSIZE')).toBe(0)
  })

  it('knows a Cluster', async () => {
    const url = (process.env.CLUSTER_NODES ?? '')
      .split(',')
      .map((node) => `redis://${node}`)
      .join(',')
    const { code, report } = await examine(url)
    expect([code, report.system, names(report, false)]).toEqual([0, 'Redis Cluster', []])
    // The rights of the printed ACL line, set on every node, are enough on a Cluster too.
    const [, , , ...rights] = (report.acl as string).replace('PASSWORD', SECRET).split(' ')
    const onEach = (...args: string[]) => Promise.all(url.split(',').map((node) => send(node, 'ACL', ...args)))
    await onEach('SETUSER', 'doctor', ...rights)
    const limited = await examine(url.replaceAll('//', `//doctor:${SECRET}@`))
    expect([limited.code, names(limited.report, false)]).toEqual([0, ['near', 'eviction']])
    await onEach('SETUSER', 'doctor', '-cluster|slots')
    const lost = await examine(url.replaceAll('//', `//doctor:${SECRET}@`))
    expect([lost.code, costs(lost.report, 'reach')]).toEqual([
      1,
      expect.stringMatching(/^UNAUTHORIZED: .*cluster\|slots/),
    ])
    await onEach('DELUSER', 'doctor')
  })

  it('checks a bucket of NATS, and leaves none that it made', async () => {
    const server = await start('nats')
    const connection = await connect({ servers: server.url })
    const bucketOf = async (name: string) =>
      (await connection.request(`$JS.API.STREAM.INFO.KV_${name}`, '')).json<{
        config?: object
        state?: { messages: number }
      }>()
    const { code, report } = await examine(`${server.url}/fresh`)
    expect([code, report.system, names(report, false), report.acl]).toEqual([0, 'NATS', [], null])
    expect(report.version).toMatch(/^2\.\d+\.\d+/)
    expect((await bucketOf('fresh')).config).toBe(undefined)
    // A url without a bucket means the bucket named `hither`.
    expect((await examine(server.url)).code).toBe(0)
    expect((await bucketOf('hither')).config).toBe(undefined)
    // A bucket that existed before stays, with its keys.
    const store = natsStore({ servers: server.url, bucket: 'used' })
    await store.set('a', 'b', undefined)
    expect((await examine(`${server.url}/used`)).code).toBe(0)
    expect(await store.get('a')).toBe('b')
    const left: string[] = []
    for await (const key of store.scan('*')) if ((await store.get(key)) !== undefined) left.push(key)
    expect(left).toEqual(['a'])
    await store.close()
    await connection.close()
  })

  it('accepts a user without EVAL, and says what that costs', async () => {
    const { url } = await start('redis7')
    await send(url, 'ACL', 'SETUSER', 'noeval', 'on', `>${SECRET}`, '~*', '&*', '+@all', '-eval', '-evalsha')
    const { code, report } = await examine(url.replace('//', `//noeval:${SECRET}@`), ['--for', 'cache,limits,locks'])
    expect([code, names(report, false)]).toEqual([0, []])
    expect(costs(report, 'operations')).toMatch(/scripts are refused.*WATCH.*round trips/)
    expect(report.acl).toContain('+watch')
    expect(report.acl).not.toContain('+eval')
    await send(url, 'ACL', 'SETUSER', 'neither', 'on', `>${SECRET}`, '~*', '+@all', '-eval', '-evalsha', '-watch')
    const neither = await examine(url.replace('//', `//neither:${SECRET}@`), ['--for', 'locks'])
    expect([neither.code, costs(neither.report, 'locks')]).toEqual([
      1,
      expect.stringMatching(/^(UNAUTHORIZED|UNSUPPORTED|STORE_REJECTED): /),
    ])
    await send(url, 'ACL', 'SETUSER', 'denied', 'on', `>${SECRET}`, '~app:*', '+@all')
    // The check of a feature that can go on despite the store's error gives that error. Both ways to run operations are refused,
    // and the ACL line grants the cheaper one.
    expect(costs(neither.report, 'cache')).toMatch(/^UNAUTHORIZED: /)
    expect(neither.report.acl).toContain('+evalsha')
    const denied = await examine(url.replace('//', `//denied:${SECRET}@`))
    expect([denied.code, costs(denied.report, 'reach')]).toEqual([1, expect.stringMatching(/^UNAUTHORIZED: /)])
    expect(denied.report.acl).toContain('+evalsha')
    await send(url, 'ACL', 'SETUSER', 'partly', 'on', `>${SECRET}`, '~hither-doctor-*', '+@all')
    expect((await examine(url.replace('//', `//partly:${SECRET}@`))).code).toBe(1)
    // The patterns that the page names are enough.
    await send(url, 'ACL', 'SETUSER', 'partly', '~:hither-doctor-*', '&hither-doctor-*')
    expect((await examine(url.replace('//', `//partly:${SECRET}@`), ['--for', 'cache,limits,locks,near'])).code).toBe(0)
    const wrong = await examine(url.replace('//', `//noeval:${SECRET}-wrong@`))
    expect([wrong.code, costs(wrong.report, 'reach')]).toEqual([1, expect.stringMatching(/^UNAUTHORIZED: /)])
    expect(wrong.report.acl).toBe(null)
    expect(await send(url, 'DBSIZE')).toBe(0)
  })

  it('says that a server is a replica, full, or evicts', async () => {
    const primary = await start('redis7')
    const replica = await start('redis7', ['--replicaof', '127.0.0.1', `${primary.port}`])
    const read = await examine(replica.url, ['--for', 'cache'])
    expect([read.code, costs(read.report, 'store')]).toEqual([1, expect.stringContaining('read-only replica')])
    const full = await examine((await start('redis8', ['--maxmemory', '1', '--maxmemory-policy', 'noeviction'])).url, [
      '--for',
      'limits',
    ])
    expect([full.code, costs(full.report, 'store')]).toEqual([1, expect.stringContaining('full')])
    const lru = await examine(
      (await start('redis8', ['--maxmemory', '50mb', '--maxmemory-policy', 'allkeys-lru'])).url,
      ['--for', 'locks'],
    )
    expect([lru.code, names(lru.report, false)]).toEqual([0, ['eviction']])
    expect(costs(lru.report, 'eviction')).toMatch(/allkeys-lru.*lock.*noeviction/)
  })

  it('says what cannot be reached, is silent, or is no Redis', async () => {
    const port = await freePort()
    for (const url of [
      `redis://:${SECRET}@127.0.0.1:${port}`,
      `memcached://127.0.0.1:${port}`,
      `nats://u:${SECRET}@127.0.0.1:${port}/bucket`,
    ]) {
      const gone = await examine(url)
      expect([gone.code, names(gone.report, false)]).toEqual([1, ['reach']])
      expect(costs(gone.report, 'reach')).toMatch(/^STORE_UNAVAILABLE: .*not connected \(ECONNREFUSED\)/)
    }
    const web = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(
      0,
      '127.0.0.1',
    )
    const silent = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1')
    await Promise.all(
      [web, silent].map((server) => server.listening || new Promise((done) => server.once('listening', done))),
    )
    const portOf = (server: typeof web): number => (server.address() as { port: number }).port
    for (const [server, scheme] of [
      [web, 'redis'],
      [silent, 'redis'],
      [web, 'memcached'],
    ] as const) {
      const { code, report } = await examine(`${scheme}://127.0.0.1:${portOf(server)}`)
      expect([scheme, code, names(report, false)]).toEqual([scheme, 1, ['reach']])
      expect(costs(report, 'reach')).toMatch(/^(BAD_REPLY|STORE_UNAVAILABLE|TIMEOUT|STORE_REJECTED): /)
    }
    web.close()
    silent.close()
  })

  it('says that there is no such database, and tries nothing else', async () => {
    const { url } = await start('redis8')
    const { code, report } = await examine(`${url}/99`)
    expect([code, names(report, false), names(report, true)]).toEqual([1, ['reach'], []])
    expect(costs(report, 'reach')).toContain('check the number of the database in the url')
  })

  it('checks REST by its token, and says what it lacks', async () => {
    const { url } = await start('valkey')
    const gateway = await startGateway({ redis: url, token: SECRET, port: 0 })
    const { code, report } = await examine(gateway.url, ['--for', 'cache,limits,locks'], { HITHER_TOKEN: SECRET })
    expect([code, names(report, false)]).toEqual([0, ['near']])
    expect([report.system, report.acl]).toEqual(['Valkey, over REST', null])
    const near = await examine(gateway.url, ['--for', 'near'], { UPSTASH_REDIS_REST_TOKEN: SECRET })
    expect([near.code, costs(near.report, 'near')]).toEqual([1, expect.stringContaining('near.maxAge')])
    const wrong = await examine(gateway.url, [], { HITHER_TOKEN: `${SECRET}-wrong` })
    expect([wrong.code, costs(wrong.report, 'reach')]).toEqual([1, expect.stringMatching(/^UNAUTHORIZED: /)])
    expect(await send(url, 'DBSIZE')).toBe(0)
    await gateway.stop()
  })

  it('checks Memcached, which evicts', async () => {
    const { url } = await start('memcached')
    const { code, report } = await examine(url)
    expect([code, report.system, report.acl]).toEqual([0, 'Memcached', null])
    expect(report.version).toMatch(/^1\.6\./)
    expect(names(report, false)).toEqual(['near', 'eviction'])
    const store = memcachedStore({ servers: [url] })
    const left: string[] = []
    for await (const key of store.scan('*')) left.push(key)
    expect(left).toEqual([])
    await store.close()
  })

  it('ends at a signal, and leaves no key then', async () => {
    const { url } = await start('redis8')
    for (const until of ['ok store', 'ok cache', 'ok locks', 'measured set']) {
      const run = runCli(['doctor', url, '--json'])
      runs.push(run)
      await expect.poll(run.err, { timeout: 30_000, interval: 1 }).toContain(until)
      run.child.kill('SIGINT')
      // The run may have ended by itself before the signal.
      expect([0, 1]).toContain(await run.ended)
      expect([until, await send(url, 'KEYS', '*')]).toEqual([until, []])
    }
  })

  it('refuses wrong usage, without the text of what was given', async () => {
    for (const args of [
      [],
      ['redis://127.0.0.1', 'redis://127.0.0.1'],
      ['127.0.0.1:6379'],
      [`redis://:${SECRET}@`],
      [`mongodb://:${SECRET}@127.0.0.1`],
      ['redis://127.0.0.1', '--for', 'cache,lock'],
      ['redis://127.0.0.1', '--for', ''],
      ['redis://127.0.0.1', '--four', 'cache'],
      ['https://example.com'],
      [`redis://:${SECRET}@127.0.0.1:99999`],
      [`redis://a:${SECRET}@h/x`],
      ['memcached://'],
      ['nats://127.0.0.1:4222/a b'],
      ['nats://127.0.0.1:99999/bucket'],
      ['nats://127.0.0.1/a/bucket'],
      [`nats://u:${SECRET}%zz@127.0.0.1/bucket`],
      [`nats://u:${SECRET}@[/bucket`],
      [`nats://u:p@${SECRET}?x@127.0.0.1/bucket`],
      [`nats://u:p@${SECRET}#x@127.0.0.1/bucket`],
    ]) {
      const run = runCli(['doctor', ...args])
      runs.push(run)
      expect([args, await run.ended, run.out()]).toEqual([args, 2, ''])
      expect(run.err()).toMatch(/^hither: [^\n]+\n$/)
      expect(run.err()).not.toMatch(new RegExp(`${SECRET}|unexpected`))
    }
  })

  it('prints a table for people, and its help', async () => {
    const { url } = await start('redis8')
    const run = runCli(['doctor', url.replace('redis', 'REDIS')])
    runs.push(run)
    expect([await run.ended, run.out()]).toEqual([
      0,
      expect.stringMatching(/^Redis 8[^]*ok {2}locks[^]*p99[^]*ACL SETUSER/),
    ])
    const help = runCli(['doctor', '--help'])
    runs.push(help)
    expect([await help.ended, help.out()]).toEqual([0, expect.stringContaining('--for LIST')])
  })
})
