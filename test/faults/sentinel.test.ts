import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { install } from '../../scripts/servers/find.ts'
import { ask, freePort, startServer } from '../../scripts/servers.ts'
import { createGateway } from '../../src/gateway/index.ts'
import type { Transport } from '../../src/store/transport.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** Starts one Sentinel that watches the server on a port, with a quorum of 1. Resolves to its port. */
async function startSentinel(watched: number): Promise<number> {
  const { command } = (await install(['redis7'])).get('redis7') as { command: readonly string[] }
  const [port, dir] = [await freePort(), mkdtempSync(join(tmpdir(), 'hither-sentinel-'))]
  const config = join(dir, 'sentinel.conf')
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `sentinel monitor main 127.0.0.1 ${watched} 1`,
    'sentinel down-after-milliseconds main 500',
    'sentinel failover-timeout main 3000',
  ]
  writeFileSync(config, `${lines.join('\n')}\n`)
  const [program = '', ...args] = command
  const child = spawn(program, [...args, config, '--sentinel'], { stdio: 'ignore' })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  closing.push(async () => {
    child.kill('SIGKILL')
    await ended
    rmSync(dir, { recursive: true, force: true })
  })
  await expect.poll(() => ask(port, 'PING').catch(String), { timeout: 10_000 }).toBe('+PONG')
  return port
}

/** Makes a primary start the full synchronization as soon as its replica asks for it. */
const AT_ONCE = { args: ['--repl-diskless-sync-delay', '0'] }

describe('the gateway before a Sentinel, over ioredis', () => {
  it('follows the primary when Sentinel names another', async () => {
    const primary = await startServer('redis7', AT_ONCE)
    closing.push(() => primary.stop())
    const replica = await startServer('redis7', { args: ['--replicaof', '127.0.0.1', `${primary.port}`] })
    closing.push(() => replica.stop())
    await expect.poll(() => ask(replica.port, 'INFO replication'), { timeout: 20_000 }).toContain('link_status:up')
    const port = await startSentinel(primary.port)
    await expect
      .poll(() => ask(port, 'INFO sentinel'), { timeout: 20_000 })
      .toMatch(/address=127\.0\.0\.1:\d+,slaves=1,/)

    const client = await connect(primary.url, { client: { sentinels: [{ host: '127.0.0.1', port }], name: 'main' } })
    const store = ioredisStore(client)
    closing.push(() => store.close())
    const gateway = createGateway({ transport: store.transport as Transport, tokens: ['secret'], timeoutMs: 1000 })
    const run = async (...args: string[]): Promise<unknown> => {
      const init = { method: 'POST', headers: { authorization: 'Bearer secret' }, body: JSON.stringify(args) }
      return (await gateway(new Request('http://gateway/', init))).json()
    }
    await expect.poll(() => run('SET', 'kept', 'x'), { timeout: 10_000 }).toEqual({ result: 'OK' })
    expect(await ask(primary.port, 'GET kept')).toBe('x')
    await expect.poll(() => ask(replica.port, 'GET kept'), { timeout: 10_000 }).toBe('x')

    await primary.kill('SIGKILL')
    expect(await run('SET', 'lost', 'x')).toEqual({ error: expect.stringMatching(/^ERR upstream /) })
    await expect.poll(() => run('SET', 'after', 'y'), { timeout: 30_000, interval: 100 }).toEqual({ result: 'OK' })
    expect([await run('GET', 'kept'), await ask(replica.port, 'GET after')]).toEqual([{ result: 'x' }, 'y'])
  }, 90_000)
})

describe('hither/tcp before a Sentinel', () => {
  it('asks where the primary is, and follows it when Sentinel names another', async () => {
    const primary = await startServer('redis7', AT_ONCE)
    closing.push(() => primary.stop())
    const replica = await startServer('redis7', { args: ['--replicaof', '127.0.0.1', `${primary.port}`] })
    closing.push(() => replica.stop())
    await expect.poll(() => ask(replica.port, 'INFO replication'), { timeout: 20_000 }).toContain('link_status:up')
    const port = await startSentinel(primary.port)
    await expect
      .poll(() => ask(port, 'INFO sentinel'), { timeout: 20_000 })
      .toMatch(/address=127\.0\.0\.1:\d+,slaves=1,/)

    // The first Sentinel of the list is down.
    const urls = [`redis://127.0.0.1:${await freePort()}`, `redis://127.0.0.1:${port}`]
    const store = tcpStore({ sentinel: { urls, name: 'main' }, timeoutMs: 1000 })
    closing.push(() => store.close())
    await expect(tcpStore({ sentinel: { urls, name: 'nobody' }, timeoutMs: 1000 }).get('x')).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      maybeExecuted: false,
      message: expect.stringContaining('sentinel.name'),
    })
    const heard: string[] = []
    await store.subscribe?.('news', (message) => void heard.push(message))
    await store.set('kept', 'x')
    expect(await ask(primary.port, 'GET kept')).toBe('x')
    await expect.poll(() => ask(replica.port, 'GET kept'), { timeout: 10_000 }).toBe('x')

    await primary.kill('SIGKILL')
    await expect(store.set('lost', 'x')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    const after = (): Promise<string> => store.set('after', 'y').then(() => 'OK', String)
    await expect.poll(after, { timeout: 30_000, interval: 100 }).toBe('OK')
    expect([await store.get('kept'), await ask(replica.port, 'GET after')]).toEqual(['x', 'y'])
    const publish = (): Promise<string[]> => store.publish?.('news', 'again').then(() => heard) as Promise<string[]>
    await expect.poll(publish, { timeout: 10_000, interval: 100 }).toContain('again')
  }, 90_000)
})
