/**
 * Compares the REST store with a hand-written `fetch` and `@upstash/redis`: `npm run bench:rest`.
 *
 * All three read 100 characters by GET from one stub of the protocol, which runs on loopback in a separate thread. The bare
 * batched fetch sends a pipeline of GETs in one request, as `@upstash/redis` does, and parses the JSON. It does nothing else: no
 * deadline, no abort, no checks. A bare MGET is measured for information: a caller who knows all keys could send it.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { Redis } from '@upstash/redis'
import { upstashStore } from '../adapters/upstash/index.ts'
import { type Case, callers, type Gate, measure, report } from './support.ts'

if (isMainThread) await main()
else serve()

function serve(): void {
  let requests = 0
  const value = 'x'.repeat(100)
  const encoded = Buffer.from(value).toString('base64')
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    if (request.url === '/requests') return response.end(String(requests))
    requests++
    const one = request.headers['upstash-encoding'] === 'base64' ? encoded : value
    const answer = (command: readonly string[]): unknown => ({
      result: command[0]?.toLowerCase() === 'mget' ? command.slice(1).map(() => one) : one,
    })
    const body = JSON.parse(String(Buffer.concat(chunks)))
    response.setHeader('content-type', 'application/json')
    response.setHeader('upstash-sync-token', `token-${requests}`)
    response.end(JSON.stringify(request.url === '/pipeline' ? body.map(answer) : answer(body)))
  })
  server.listen(0, '127.0.0.1', () => parentPort?.postMessage((server.address() as AddressInfo).port))
}

async function main(): Promise<void> {
  const worker = new Worker(new URL(import.meta.url))
  const port = await new Promise<number>((resolve) => worker.once('message', resolve))
  const url = `http://127.0.0.1:${port}`
  const token = 'a-token'
  const requests = async (): Promise<number> => Number(await (await fetch(`${url}/requests`)).text())

  const store = upstashStore({ url, token })
  const peer = new Redis({ url, token, enableTelemetry: false })
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const bare = async (...command: readonly string[]): Promise<unknown> => {
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(command) })
    return ((await response.json()) as { result: unknown }).result
  }

  const pipeline = async (keys: readonly string[]): Promise<unknown> => {
    const body = JSON.stringify(keys.map((each) => ['GET', each]))
    const response = await fetch(`${url}/pipeline`, { method: 'POST', headers, body })
    return ((await response.json()) as { result: unknown }[]).map(({ result }) => result)
  }
  const keys = Array.from({ length: 100 }, (_, i) => `bench:key:${i}`)
  const key = (i: number): string => keys[i % keys.length] as string
  const many = (name: string, all: () => Promise<unknown>): Case => ({
    name,
    ops: 20 * keys.length,
    async run() {
      for (let i = 0; i < 20; i++) await all()
    },
  })
  /** Starts each get in separate microtasks of one turn of the event loop, as a busy server does when it reads many requests. */
  const apart = (name: string, get: (key: string) => Promise<unknown>): Case => ({
    name,
    ops: 3 * keys.length,
    async run() {
      const all: Promise<unknown>[] = []
      for (let i = 0; i < 3 * keys.length; i++) {
        all.push(get(key(i)))
        for (let hop = 0; hop < 10; hop++) await null
      }
      await Promise.all(all)
    },
  })
  const cases: Case[] = [
    callers('get', 1, 100, (i) => store.get(key(i))),
    callers('get, bare fetch', 1, 100, (i) => bare('GET', key(i))),
    callers('get, @upstash/redis', 1, 100, (i) => peer.get(key(i))),
    many('100 gets at once', () => Promise.all(keys.map((each) => store.get(each)))),
    many('100 gets at once, bare batched fetch', () => pipeline(keys)),
    many('100 gets at once, bare MGET', () => bare('MGET', ...keys)),
    many('100 gets at once, @upstash/redis', () => Promise.all(keys.map((each) => peer.get(each)))),
    apart('300 gets, each by itself', (each) => store.get(each)),
    apart('300 gets, each by itself, bare fetch', (each) => bare('GET', each)),
    apart('300 gets, each by itself, @upstash/redis', (each) => peer.get(each)),
  ]
  const gates: Gate[] = [
    { name: 'get', against: 'get, bare fetch', atLeast: 0.95 },
    { name: 'get, @upstash/redis', against: 'get, bare fetch' },
    { name: '100 gets at once', against: '100 gets at once, bare batched fetch', atLeast: 0.95 },
    { name: '100 gets at once', against: '100 gets at once, bare MGET' },
    { name: '100 gets at once, @upstash/redis', against: '100 gets at once, bare batched fetch' },
    { name: '300 gets, each by itself', against: '300 gets, each by itself, bare fetch' },
    { name: '300 gets, each by itself', against: '300 gets, each by itself, @upstash/redis', atLeast: 2 },
    { name: '300 gets, each by itself, @upstash/redis', against: '300 gets, each by itself, bare fetch' },
  ]

  const before = await requests()
  await Promise.all(keys.map((each) => store.get(each)))
  const sent = (await requests()) - before
  report('upstashStore({ url, token }) against a bare fetch, one stub on loopback', await measure(cases, gates))
  console.log(`\n100 concurrent gets: ${sent} request${sent === 1 ? '' : 's'}`)
  if (sent !== 1) process.exitCode = 1
  await worker.terminate()
}
