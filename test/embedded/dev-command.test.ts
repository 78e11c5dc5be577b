import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'hither-dev-'))
const root = new URL('../../', import.meta.url).pathname
const running: ChildProcess[] = []
afterAll(() => {
  for (const child of running) child.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})

interface Run {
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  out(): string
  until(pattern: RegExp): Promise<RegExpExecArray>
}

function dev(...args: string[]): Run {
  const command = ['--import', './scripts/from-source.ts', 'cli/hither.ts', 'dev', ...args]
  const child = spawn(process.execPath, command, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  running.push(child)
  let text = ''
  const listeners = new Set<() => void>()
  const ended = once(child, 'close').then(([code]) => code as number | null)
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data: Buffer) => {
      text += data
      for (const each of listeners) each()
    })
  }
  return {
    child,
    ended,
    out: () => text,
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = pattern.exec(text)
          if (found) resolve(found)
        }
        listeners.add(look)
        look()
        void ended.then((code) => reject(new Error(`ended with ${code}: ${text}`)))
      }),
  }
}
/** HSET must not be lost while FUNCTION LOAD opens the Lua runtime, and BLPOP, which would wait, must not block the start. */
const SEED = `# people
SET name "Ada Lovelace"
FUNCTION LOAD "#!lua name=sums\\nredis.register_function('twice', function(keys, args) return args[1] * 2 end)"
HSET h f v
BLPOP none 0
XADD s 1-1 a b
`
const FREE = ['--port', '0', '--redis-port', '0']

it('keeps its data in a snapshot, begins with a seed, and answers on both addresses', async () => {
  const file = join(folder, 'data.hither')
  const seed = join(folder, 'seed')
  writeFileSync(seed, SEED)
  const first = dev(...FREE, '--snapshot', file, '--seed', seed, '--token', 'secret', '--log')
  const [, url = ''] = await first.until(/RESP {3}(\S+)/)
  const [, rest = ''] = await first.until(/REST {3}(\S+)/)
  await first.until(/redis-cli -u/)
  const client = new Redis(url)
  expect(await client.get('name')).toBe('Ada Lovelace')
  await client.zadd('z', 1.5, 'm')
  client.disconnect()
  const answer = await fetch(`${rest}/hget/h/f`, { headers: { authorization: 'Bearer secret' } })
  expect(await answer.json()).toEqual({ result: 'v' })
  expect(first.out()).toMatch(/"ZADD" "z" "1.5" "m"/i)
  first.child.kill('SIGTERM')
  expect(await first.ended).toBe(0)

  const second = dev(...FREE, '--snapshot', file, '--seed', seed, '--requirepass', 'open')
  const [, again = ''] = await second.until(/RESP {3}(\S+)/)
  const other = new Redis(again, { password: 'open' })
  expect(await other.zscore('z', 'm')).toBe('1.5')
  expect(await other.xlen('s')).toBe(1)
  expect(await other.fcall('twice', 0, 21)).toBe(42)
  other.disconnect()
  second.child.kill('SIGTERM')
  expect(await second.ended).toBe(0)
})

it('refuses a torn snapshot with one line and exit code 2, and leaves it as it is', async () => {
  const file = join(folder, 'torn')
  writeFileSync(file, 'hither-snapshot 1 100 00000000\n[[0,"a",nu')
  const run = dev(...FREE, '--snapshot', file)
  expect(await run.ended).toBe(2)
  expect(run.out()).toMatch(/^hither: INVALID_ARGUMENT: the snapshot is torn[^\n]*\n$/)
  expect(readFileSync(file, 'utf8')).toContain('"a",nu')
})

it('says which port is taken, with exit code 2', async () => {
  const holder = createServer()
  await new Promise<void>((resolve) => void holder.listen(0, '127.0.0.1', resolve))
  const { port } = holder.address() as { port: number }
  for (const [name, other] of [
    ['--redis-port', '--port'],
    ['--port', '--redis-port'],
  ] as const) {
    const run = dev(name, `${port}`, other, '0')
    expect(await run.ended).toBe(2)
    expect(run.out()).toBe(`hither: the port is taken: give another with ${name}, or 0 for a free one\n`)
  }
  holder.close()
})

it('refuses a seed that a server would refuse', async () => {
  const seed = join(folder, 'bad')
  writeFileSync(seed, 'SET a b\nNOSUCH x\n')
  const run = dev(...FREE, '--seed', seed)
  expect(await run.ended).toBe(2)
  expect(run.out()).toMatch(/line 2 of the seed/)
})

it('ends with exit code 2 where the snapshot cannot be written', async () => {
  const none = dev(...FREE, '--snapshot', join(folder, 'none', 'data'))
  expect(await none.ended).toBe(2)
  expect(none.out()).toBe(
    'hither: INVALID_ARGUMENT: the snapshot cannot be written (ENOENT): the one before was kept\n',
  )
  const gone = join(folder, 'gone')
  mkdirSync(gone)
  const run = dev(...FREE, '--snapshot', join(gone, 'data'))
  await run.until(/redis-cli -u/)
  expect(readdirSync(gone)).toEqual([])
  rmSync(gone, { recursive: true })
  run.child.kill('SIGTERM')
  expect(await run.ended).toBe(2)
  expect(run.out()).toMatch(/cannot be written \(ENOENT\): the one before was kept/)
})

it('goes on where nobody reads its log any more', async () => {
  const run = dev('--port', '0', '--redis-port', '0', '--log')
  const [url] = await run.until(/redis:\/\/\S+/)
  run.child.stderr?.destroy()
  const client = new Redis(url)
  for (let i = 0; i < 20; i++) await client.set('key', i)
  expect(await client.get('key')).toBe('19')
  client.disconnect()
  run.child.kill('SIGTERM')
  expect(await run.ended).toBe(0)
})
