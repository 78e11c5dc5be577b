import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { freePort, startServer } from '../../scripts/servers.ts'
import { compileCache } from '../support/compile-cache.ts'
import { createTcpProxy } from '../support/tcp-proxy.ts'

// The `hither` command as a child process, from its source: the package's own name resolves to the source files.

const TOKEN = 'cli-token-4711'
const root = new URL('../../', import.meta.url)
const hook = (missing: string): string =>
  `data:text/javascript,${encodeURIComponent(`
  import { readFileSync } from 'node:fs'
  import { registerHooks } from 'node:module'
  const root = ${JSON.stringify(root.href)}
  const { exports, imports } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))
  registerHooks({
    resolve(name, context, next) {
      if (name === '${missing}') throw new Error('Cannot find package')
      const own = imports[name] ?? (/^hither(\\/|$)/.test(name) && exports['.' + name.slice(6)])
      if (!own) return next(name, context)
      return next(new URL(own.default.replace('./dist/', '').replace(/js$/, 'ts'), root).href, context)
    },
  })`)}`

interface Run {
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  readonly out: () => string
  readonly err: () => string
}

const running: Run[] = []
afterEach(() => {
  for (const { child } of running.splice(0)) child.kill('SIGKILL')
})

/** Runs the command. Its output and its errors must never show the token or a password. */
function start(args: readonly string[], env: Record<string, string> = {}, missing = ''): Run {
  const child = spawn(process.execPath, ['--no-warnings', '--import', hook(missing), 'cli/hither.ts', ...args], {
    cwd: root,
    env: { ...compileCache, PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stdout.on('data', (data) => {
    out += data
  })
  child.stderr.on('data', (data) => {
    err += data
  })
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve)).then((code) => {
    for (const secret of [TOKEN, 's3cret']) expect(out + err).not.toContain(secret)
    return code
  })
  const run = { child, ended, out: () => out, err: () => err }
  running.push(run)
  return run
}

async function listening(run: Run): Promise<string> {
  await expect.poll(() => /^gateway on (\S+)\n/.exec(run.out())?.[1] ?? run.err(), { timeout: 60_000 }).toMatch(/^http/)
  return /^gateway on (\S+)\n/.exec(run.out())?.[1] as string
}
const redis = (): string => process.env.REDIS8_URL ?? ''
const ask = (url: string, path: string): Promise<Response> =>
  fetch(url + path, { headers: { authorization: `Bearer ${TOKEN}` } })

describe('hither', { timeout: 120_000 }, () => {
  it('tells how it is used', async () => {
    const commands = ['dev', 'gateway', 'doctor', 'migrate']
    for (const args of [[], ['--help'], ['help']]) {
      const run = start(args)
      expect([args, await run.ended]).toEqual([args, 0])
      for (const command of commands) expect(run.out()).toContain(`\n  hither ${command} `)
      expect(run.out().split('\n').length).toBeLessThan(20)
    }
    for (const command of commands) {
      const run = start([command, '--help'])
      expect([command, await run.ended]).toEqual([command, 0])
      expect(run.out()).toMatch(
        new RegExp(`^hither ${command}: .*\n\n  (HITHER\\S+ )?hither ${command} ?.*\n(.*\n)*  --`),
      )
    }
  })

  it('tells its version', async () => {
    const { version } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8')) as { version: string }
    const run = start(['--version'])
    expect([await run.ended, run.out()]).toEqual([0, `${version}\n`])
  })

  it('knows no other command, and does not repeat what may be a token', async () => {
    for (const args of [['gatewya'], [TOKEN], [`--token=${TOKEN}`, 'gateway']]) {
      const run = start(args)
      expect(await run.ended).toBe(2)
      expect(run.err()).toBe('hither: no such command: there are dev, gateway, doctor and migrate\n')
    }
  })
})

describe('hither gateway', { timeout: 120_000 }, () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`answers, and ends a request under way on ${signal}`, async () => {
      const proxy = await createTcpProxy(redis())
      const run = start(['gateway', '--redis', proxy.url, '--token', TOKEN, '--port', '0'])
      const url = await listening(run)
      expect(new URL(url).hostname).toBe('127.0.0.1')
      expect(await (await ask(url, '/set/cli:a/b')).json()).toEqual({ result: 'OK' })
      expect((await fetch(`${url}/get/cli:a`)).status).toBe(401)
      proxy.latency(150)
      const before = proxy.stats.commands
      const late = ask(url, '/get/cli:a')
      await expect.poll(() => proxy.stats.commands, { timeout: 10_000 }).toBeGreaterThan(before)
      run.child.kill(signal)
      expect(await (await late).json()).toEqual({ result: 'b' })
      expect(await run.ended).toBe(0)
      expect(run.err()).toBe('')
      await expect(fetch(url)).rejects.toThrow()
      await proxy.stop()
    })
  }

  it('takes its settings from the environment, and a password from the url', async () => {
    const server = await startServer('redis7', { args: ['--requirepass', 's3cret'] })
    const env = { HITHER_TOKEN: TOKEN, REDIS_URL: server.url.replace('//', '//:s3cret@') }
    const run = start(['gateway', '--port', '0'], env)
    const url = await listening(run)
    expect(await (await ask(url, '/ping')).json()).toEqual({ result: 'PONG' })
    run.child.kill('SIGTERM')
    expect(await run.ended).toBe(0)
    await server.stop()
  })

  it('takes user, password and port beside the url, and waits for Redis where that is asked', async () => {
    const port = await freePort()
    const [listenAt, redisPort] = [await freePort(), port]
    const env = { HITHER_TOKEN: TOKEN, REDIS_PASSWORD: 's3cret#/?', PORT: `${listenAt}` }
    const run = start(['gateway', '--redis', `redis://127.0.0.1:${redisPort}`, '--redis-user', 'app', '--wait'], env)
    await expect.poll(run.err, { timeout: 60_000 }).toMatch(/^hither: waiting for Redis: .*ECONNREFUSED.*\n$/)
    const acl = ['--user', 'app', 'on', '>s3cret#/?', '~*', '+@all']
    const server = await startServer('redis7', { args: acl, port: redisPort })
    const url = await listening(run)
    expect(new URL(url).port).toBe(`${listenAt}`)
    expect(await (await ask(url, '/ping')).json()).toEqual({ result: 'PONG' })
    run.child.kill('SIGTERM')
    expect(await run.ended).toBe(0)
    expect(run.err().split('\n')).toHaveLength(2)
    await server.stop()
  })

  it('lets pages read and names be checked where that is asked', async () => {
    const args = ['gateway', '--redis', redis(), '--token', TOKEN, '--role', 'read-only', '--port', '0']
    const origin = 'https://app.example'
    const run = start([...args, '--cors', origin, '--allow-host', 'gateway.example', '--allow-host', '127.0.0.1'])
    const url = await listening(run)
    const headers = { authorization: `Bearer ${TOKEN}`, origin }
    const answer = await fetch(`${url}/get/cli:a`, { headers })
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([200, origin])
    expect((await fetch(`${url.replace('127.0.0.1', 'localhost')}/healthz`)).status).toBe(421)
    const dev = start(['gateway', '--redis', redis(), '--token', TOKEN, '--port', '0', '--dev'])
    const devUrl = await listening(dev)
    expect((await fetch(`${devUrl.replace('127.0.0.1', 'localhost')}/healthz`)).status).toBe(200)
  })

  it('refuses settings that make no sense, each by its name, with exit code 2', async () => {
    const ok = ['--redis', redis(), '--token', TOKEN, '--port', '0']
    const cases: [string[], RegExp][] = [
      [['--redis', redis(), '--port', '0'], /^hither: no token: give --token or --tokens, or set HITHER_TOKEN\n$/],
      [[...ok, '--dev', '--redis', '', '--cors', 'https://a.b'], /^hither: .*Unknown option '--cors'/],
      [
        ['--redis', redis(), '--port', '0', '--tokens', 'tokens.txt', '--role', 'admin'],
        /^hither: --role is that of --token: in a list of tokens each names its own\n$/,
      ],
      [[...ok, '--redis', `${redis()}/99`], /^hither: STORE_REJECTED: SELECT was rejected: ERR, check the number of/],
      [[...ok, '--role', 'root'], /^hither: INVALID_ARGUMENT: tokens: role is one of read-only, full, admin\n$/],
      [[...ok, '--tokens', '/nowhere'], /^hither: INVALID_ARGUMENT: the file of tokens cannot be read \(ENOENT\)\n$/],
      [[...ok, '--redis-ca', '/nowhere'], /^hither: INVALID_ARGUMENT: --redis-ca cannot be read\n$/],
      [[...ok, '--token', 'white space'], /^hither: INVALID_ARGUMENT: tokens: .*visible ASCII/],
      [[...ok, '--port', 'x'], /^hither: --port is a number from 0 to 65535\n$/],
      [[...ok, '--port', '65536'], /^hither: --port is a number/],
      [[...ok, '--port='], /^hither: --port is a number/],
      [[...ok, '--wait=soon'], /^hither: --wait is a number of seconds\n$/],
      [[...ok, '--keep-alive', '1m'], /^hither: --keep-alive is a number of seconds\n$/],
      [[...ok, '--cors', 'app.example'], /^hither: INVALID_ARGUMENT: cors is a list of origins/],
      [['--redis', redis(), '--token', TOKEN, '--port'], /^hither: [^\n]*--port[^\n]*\n$/],
      [
        ['--redis', `${redis()},${redis()}`, '--token', TOKEN],
        /^hither: UNSUPPORTED: .*not a Cluster: give one url\n$/,
      ],
      [[...ok, '--prot', '1'], /^hither: .*Unknown option '--prot'/],
      [[...ok, 's3cret'], /^hither: the command takes options only/],
      [[...ok, '--host', '203.0.113.1'], /^hither: --host is no address of this machine\n$/],
      [[...ok, '--redis', 'http://:s3cret@127.0.0.1'], /^hither: INVALID_URL: a Redis url looks like redis:/],
    ]
    for (const [args, message] of cases) {
      const run = start(['gateway', ...args])
      expect([args, await run.ended, run.err()]).toEqual([args, 2, expect.stringMatching(message)])
      expect(run.out()).toBe('')
    }
  })

  it('takes tokens from a file, and again when it changes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hither-tokens-'))
    const file = join(folder, 'tokens.json')
    const other = `${TOKEN}-other`
    writeFileSync(file, JSON.stringify([{ token: TOKEN, name: 'first', role: 'read-only' }]))
    const run = start(['gateway', '--redis', redis(), '--tokens', file, '--port', '0', '--log'])
    const url = await listening(run)
    const status = async (token: string, path = '/get/cli:a'): Promise<number> =>
      (await fetch(url + path, { headers: { authorization: `Bearer ${token}` } })).status
    expect([await status(TOKEN), await status(other), await status(TOKEN, '/set/cli:a/x')]).toEqual([200, 401, 400])
    // A malformed file of tokens changes nothing.
    for (const text of [`[${other}`, `{"token":\n${other}\n}`, '{"token":"x"}', '[{"token":"x","role":"root"}]']) {
      const before = run.err()
      writeFileSync(file, text)
      run.child.kill('SIGHUP')
      await expect
        .poll(async () => [await status(TOKEN), run.err().slice(before.length).includes('tokens-refused')], {
          timeout: 20_000,
        })
        .toEqual([200, true])
    }
    writeFileSync(file, `# a token a line\n${other}\n`)
    await expect.poll(() => status(other), { timeout: 20_000 }).toBe(200)
    expect(await status(TOKEN)).toBe(401)
    run.child.kill('SIGTERM')
    expect(await run.ended).toBe(0)
    const lines = run
      .err()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(lines[0]).toEqual({
      at: expect.stringMatching(/^\d{4}-/),
      type: 'request',
      status: 200,
      ms: expect.any(Number),
      route: 'command',
      commands: 1,
      token: 'first',
    })
    // neither key nor value
    expect(run.err()).not.toContain('cli:a')
    rmSync(folder, { recursive: true })
  })

  it('says that the port is taken', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => taken.once('listening', resolve))
    const { port } = taken.address() as { port: number }
    const run = start(['gateway', '--redis', redis(), '--token', TOKEN, '--port', `${port}`])
    expect([await run.ended, run.err()]).toEqual([2, 'hither: the port is taken: give another with --port\n'])
    taken.close()
  })

  it('does not wait for a Redis that is not there, is silent, is none, or refuses it', async () => {
    const silent = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1')
    const other = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    other.listen(0, '127.0.0.1')
    const secured = await startServer('redis7', { args: ['--requirepass', 'right-one'] })
    const portOf = (listener: typeof other): number => (listener.address() as { port: number }).port
    const gone = await freePort()
    const cases: [string, RegExp][] = [
      [
        `redis://:s3cret@127.0.0.1:${gone}/3`,
        new RegExp(
          `^hither: STORE_UNAVAILABLE: not connected \\(ECONNREFUSED\\).* \\(127.0.0.1:${gone}; --redis names`,
        ),
      ],
      [redis().replace('redis:', 'rediss:'), /^hither: UNSUPPORTED: .*is it TLS\? .*; --redis names another\)\n$/],
      [`redis://127.0.0.1:${portOf(silent)}`, /^hither: (STORE_UNAVAILABLE|TIMEOUT): /],
      [`redis://127.0.0.1:${portOf(other)}`, /^hither: BAD_REPLY: /],
      [secured.url.replace('//', '//:s3cret@'), /^hither: UNAUTHORIZED: /],
    ]
    const runs = cases.map(([url]) => start(['gateway', '--redis', url, '--token', TOKEN, '--port', '0']))
    for (const [i, [, message]] of cases.entries()) {
      const run = runs[i] as Run
      expect([await run.ended, run.err()]).toEqual([2, expect.stringMatching(message)])
      expect(run.err().split('\n')).toHaveLength(2)
    }
    silent.close()
    other.close()
    await secured.stop()
  })

  it('needs no other package', async () => {
    const run = start(['gateway', '--redis', redis(), '--token', TOKEN, '--port', '0'], {}, 'ioredis')
    const url = await listening(run)
    expect(await (await ask(url, '/ping')).json()).toEqual({ result: 'PONG' })
  })
})
