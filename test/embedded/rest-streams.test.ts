import { connect, type Socket } from 'node:net'
import { Redis } from '@upstash/redis'
import { startDev } from 'hither/testing/node'
import { expect, it } from 'vitest'

const TOKEN = 'the-token'

/** Opens a connection and sends these requests on it. Resolves once the first response begins. */
async function ask(url: string, requests: readonly string[]): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  await new Promise((resolve) =>
    socket
      .once('data', resolve)
      .write(
        requests
          .map((path) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`)
          .join(''),
      ),
  )
  return socket
}

it('the streams of REST bring what is published to their clients', async () => {
  await using dev = await startDev()
  const redis = new Redis({ url: dev.url, token: dev.token, enableTelemetry: false })
  const heard: unknown[] = []
  const subscriber = redis.subscribe(['news', 'other'])
  const patterns = redis.psubscribe('n*')
  const isUp = new Promise((resolve) => subscriber.on('subscribe', resolve))
  const isUpToo = new Promise((resolve) => patterns.on('psubscribe', resolve))
  subscriber.on('message', (message) => heard.push(message))
  patterns.on('pmessage', (message) => heard.push(message))
  await Promise.all([isUp, isUpToo])
  await expect.poll(() => redis.publish('other', { n: 1 })).toBe(1)
  await expect.poll(() => redis.publish('news', { n: 2 })).toBe(2)
  await expect.poll(() => heard.length).toBeGreaterThanOrEqual(3)
  expect(heard).toContainEqual({ channel: 'other', message: { n: 1 } })
  expect(heard).toContainEqual({ channel: 'news', message: { n: 2 } })
  expect(heard).toContainEqual({ channel: 'news', message: { n: 2 }, pattern: 'n*' })
  await Promise.all([subscriber.unsubscribe(), patterns.unsubscribe()])
})

it('a stream ends with its connection, also one that was asked for behind another', async () => {
  await using dev = await startDev({ token: TOKEN })
  const clients = dev.engine.clients.size
  for (const paths of [
    ['/subscribe/a'],
    ['/subscribe/a', '/subscribe/a'],
    ['/subscribe/a', '/psubscribe/b', '/monitor'],
  ]) {
    const socket = await ask(dev.url, paths)
    await expect.poll(() => dev.engine.clients.size).toBe(clients + (paths.includes('/monitor') ? 2 : 1))
    socket.destroy()
    await expect.poll(() => dev.engine.clients.size).toBe(clients)
  }
})
