import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, expect, it } from 'vitest'
import { startWorkerd } from './start.ts'

const TEXT = 'hello'.repeat(20_000)
const origin = createServer((_, response) => {
  const headers = { 'cache-control': 'max-age=60', 'content-encoding': 'gzip', vary: 'accept-encoding' }
  response.writeHead(200, headers).end(gzipSync(TEXT))
}).listen(0, '127.0.0.1')
await once(origin, 'listening')
const worker = await startWorkerd({
  entry: 'test/runtimes/requests/encoded-worker.ts',
  by: 'workerd',
  bindings: { ORIGIN: `http://127.0.0.1:${(origin.address() as AddressInfo).port}/` },
})
afterAll(async () => {
  await worker.stop()
  origin.close()
})

// workerd decodes what is fetched, and encodes what a Worker returns: the bytes in between are not what Content-Encoding says.
it.each([
  ['fetched', 'gzip', 'fwd=uri-miss'],
  ['for-workerd-to-encode', 'gzip', 'fwd=uri-miss'],
  ['br-for-workerd-to-encode', 'br', 'fwd=uri-miss'],
  ['encoded', 'gzip', 'hit'],
])('a response on Workers reaches the client as it was meant, stored or not: %s', async (path, coding, story) => {
  const ask = async () => {
    const response = await fetch(worker.url + path, { headers: { 'accept-encoding': 'gzip, br' } })
    const [, found] = (response.headers.get('cache-status') ?? '').split('; ')
    return [response.status, response.headers.get('content-encoding'), (await response.text()) === TEXT, found]
  }
  expect(await ask()).toEqual([200, coding, true, 'fwd=uri-miss'])
  expect(await ask()).toEqual([200, coding, true, story])
})
