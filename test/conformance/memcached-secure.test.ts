import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type MemcachedStore, memcachedStore } from '../../adapters/memcached/index.ts'
import { install } from '../../scripts/servers/find.ts'
import { freePort } from '../../scripts/servers.ts'
import { testCounter } from '../../src/testing/index.ts'
import { certificate } from '../support/certificate.ts'

// memcached with TLS (`-Z`) and with users (`-Y`). Such a server refuses the request by which other tests see that it is up.

const folder = mkdtempSync(join(tmpdir(), 'hither-memcached-'))
const file = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}
const stops: (() => void)[] = []
afterAll(() => {
  for (const stop of stops) stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Starts a server. It ends with this process: when the process exits, the pipe closes from which the shell reads. */
async function start(program: 'memcached' | 'memcached16', args: readonly string[]): Promise<number> {
  const command = (await install([program])).get(program)?.command ?? []
  const port = await freePort()
  const own = ['-l', '127.0.0.1', '-p', `${port}`, '-U', '0', ...(process.getuid?.() === 0 ? ['-u', 'root'] : [])]
  const script = '"$@" </dev/null >/dev/null 2>&1 & pid=$!; read -r _; kill -9 $pid'
  const shell = spawn('/bin/sh', ['-c', script, 'sh', ...command, ...own, ...args], {
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  stops.push(() => shell.stdin.end())
  for (let left = 200; left > 0; left--) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false))
      socket.on('connect', () => socket.destroy())
    })
    if (isOpen) return port
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`${program} did not come up`)
}

for (const program of ['memcached', 'memcached16'] as const) {
  describe(`${program} over TLS`, () => {
    let port: number
    beforeAll(async () => {
      const chain = file('cert.pem', certificate.cert)
      const key = file('key.pem', certificate.key)
      port = await start(program, ['-Z', '-o', `ssl_chain_cert=${chain},ssl_key=${key}`])
    })
    const open = (url: string, options: object = {}): MemcachedStore =>
      memcachedStore({ servers: [url], timeoutMs: 5000, ...options })

    it('carries everything to a server that its authority has proven', async () => {
      for (const host of ['localhost', '127.0.0.1']) {
        const store = open(`memcacheds://${host}:${port}`, { tls: { ca: certificate.cert } })
        await store.ready()
        await Promise.all(Array.from({ length: 200 }, (_, i) => store.set(`k${i}`, `v${i}`, 60_000)))
        expect(await store.getMany(['k0', 'k199', 'none'])).toEqual(['v0', 'v199', undefined])
        await store.setBytes('large', new Uint8Array(900_000).fill(10), 60_000)
        expect((await store.getBytes('large'))?.length).toBe(900_000)
        expect(await store.run(testCounter, `n:${host}`, [2, 0])).toBe(2)
        const keys: string[] = []
        for await (const key of store.scan('k19?')) keys.push(key)
        expect(keys.length).toBe(10)
        await store.close()
      }
    })
    it('refuses a server that it cannot prove, and a plain one', async () => {
      const unproven = open(`memcacheds://localhost:${port}`)
      await expect(unproven.get('k')).rejects.toMatchObject({
        code: 'STORE_UNAVAILABLE',
        message: expect.stringContaining('check tls.ca'),
        maybeExecuted: false,
      })
      const plain = open(`memcached://127.0.0.1:${port}`, { timeoutMs: 500 })
      await expect(plain.get('k')).rejects.toSatisfy((error: { code?: string }) =>
        /^(STORE_UNAVAILABLE|TIMEOUT|BAD_REPLY)$/.test(error.code ?? ''),
      )
      await Promise.all([unproven.close(), plain.close()])
    })
  })

  describe(`${program} with users`, () => {
    let port: number
    beforeAll(async () => {
      port = await start(program, ['-Y', file('users', 'ann:s3cret/?:ü\nbob:other\n')])
    })
    const url = (login: string): string => `memcached://${login}127.0.0.1:${port}`

    it('lets those in whose password is right, before anything else is sent', async () => {
      const store = memcachedStore({ servers: [url(`ann:${encodeURIComponent('s3cret/?:ü')}@`)] })
      await Promise.all([store.set('a', '1', 60_000), store.get('b'), store.run(testCounter, 'n', [1, 0])])
      expect(await store.get('a')).toBe('1')
      const keys: string[] = []
      for await (const key of store.scan('*')) keys.push(key)
      expect(keys.sort()).toEqual(['a', 'n'])
      await store.close()
    })
    it('rejects with UNAUTHORIZED without the password or with another, and names neither', async () => {
      for (const login of ['', 'ann:wrong@', 'eve:other@', 'bob:@']) {
        const store = memcachedStore({ servers: [url(login)], timeoutMs: 2000 })
        const error = await store.get('a').catch((error: unknown) => error)
        expect([login, error]).toMatchObject([login, { code: 'UNAUTHORIZED' }])
        expect(String(error)).not.toMatch(/wrong|other|ann|eve|bob/)
        await expect(store.set('a', 'x')).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
        await store.close()
      }
    })
    it('leaves no password in a server without users, and no key there any worse', async () => {
      const open = await start(program, [])
      const before = memcachedStore({ servers: [`memcached://127.0.0.1:${open}`] })
      await before.set('login', 'mine')
      const store = memcachedStore({ servers: [`memcached://ann:s3cret@127.0.0.1:${open}`] })
      expect(await store.get('login')).toBe('mine')
      const found = await new Promise<string>((resolve, reject) => {
        const socket = connect(open, '127.0.0.1', () => socket.write('get :hither:login login\r\n'))
        socket.on('error', reject).on('data', (data) => {
          resolve(String(data))
          socket.destroy()
        })
      })
      expect(found).toMatch(/^VALUE login .*mine\r\nEND\r\n$/s)
      await store.close()
      await before.close()
    })
  })
}
