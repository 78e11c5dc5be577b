/**
 * Compares the gateway with the parts that it connects, HTTP and Redis: `npm run bench:gateway`.
 *
 * Pipelines of 100 commands over the gateway, against the same pipeline over ioredis on one connection; single commands of 64
 * callers, against a bare node:http echo of the same bytes. One Redis 7 on loopback; the gateway and the echo each run in a
 * separate process, the callers in this one.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Redis } from 'ioredis'
import { connect } from '../adapters/ioredis/index.ts'
import { serve } from '../adapters/node/serve.ts'
import { tcpTransport } from '../adapters/tcp/index.ts'
import { startServer } from '../scripts/servers.ts'
import { createGateway } from '../src/gateway/index.ts'
import { callers, measure, report } from './support.ts'

const TOKEN = 'bench'
const [role, redis] = process.argv.slice(2)

if (role === 'gateway') {
  const gateway = createGateway({ transport: tcpTransport({ url: redis as string }), tokens: [TOKEN] })
  process.send?.((await serve(gateway)).port)
} else if (role === 'echo') {
  const server = createServer((incoming, outgoing) => {
    const parts: Buffer[] = []
    incoming.on('data', (part: Buffer) => parts.push(part))
    incoming.on('end', () => {
      const body = Buffer.concat(parts)
      outgoing.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
    })
  }).listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
} else {
  await main()
}

async function main(): Promise<void> {
  const server = await startServer('redis7')
  const start = async (which: string): Promise<{ readonly port: number; readonly end: () => void }> => {
    const child = fork(import.meta.filename, [which, server.url])
    const [port] = (await once(child, 'message')) as [number]
    return { port, end: () => child.kill() }
  }
  const gateway = await start('gateway')
  const echo = await start('echo')
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const post = (port: number, path: string, body: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${TOKEN}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      }
      const request = httpRequest({ port, path, method: 'POST', agent, headers }, (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part: string) => {
          text += part
        })
        response.on('end', () => resolve(text))
      })
      request.on('error', reject).end(body)
    })
  const client = (await connect(server.url)) as unknown as Redis
  await once(client, 'ready')
  const value = 'x'.repeat(100)
  const key = (i: number): string => `bench:${i % 1000}`
  for (let i = 0; i < 1000; i++) await client.set(key(i), value)

  const list = Array.from({ length: 100 }, (_, i) => (i % 10 === 0 ? ['set', key(i), value] : ['get', key(i)]))
  const body = JSON.stringify(list)
  const answers = JSON.parse(await post(gateway.port, '/pipeline', body)) as { result: string }[]
  const theirs = (await client.pipeline(list).exec()) as [unknown, string][]
  if (answers.some(({ result }, i) => result !== theirs[i]?.[1])) throw new Error('gateway and client disagree')

  const pipelines = [
    callers('pipeline of 100, ioredis', 1, 20, () => client.pipeline(list).exec()),
    callers('pipeline of 100, gateway', 1, 20, async () => JSON.parse(await post(gateway.port, '/pipeline', body))),
  ]
  const get = (i: number): string => JSON.stringify(['GET', key(i)])
  const singles = [
    callers('get, 64 callers, node:http echo', 64, 640, async (i) => JSON.parse(await post(echo.port, '/', get(i)))),
    callers('get, 64 callers, gateway', 64, 640, async (i) => JSON.parse(await post(gateway.port, '/', get(i)))),
  ]
  const rows = [
    ...(await measure(pipelines, [
      { name: 'pipeline of 100, gateway', against: 'pipeline of 100, ioredis', atLeast: 0.5 },
    ])),
    ...(await measure(singles, [
      { name: 'get, 64 callers, gateway', against: 'get, 64 callers, node:http echo', atLeast: 0.6 },
    ])),
  ]
  report('The gateway, one Redis 7 on loopback', rows)
  agent.destroy()
  await client.quit()
  gateway.end()
  echo.end()
  await server.stop()
}
