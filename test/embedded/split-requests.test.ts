import { connect } from 'node:net'
import { startDev } from 'hither/testing/node'
import { Redis } from 'ioredis'
import { expect, it } from 'vitest'

it('a request that comes in two parts is the request that was sent, wherever it was cut', async () => {
  const dev = await startDev()
  const socket = connect(Number(new URL(dev.redisUrl).port), '127.0.0.1')
  socket.setNoDelay(true).setEncoding('latin1')
  let text = ''
  let onText = (): void => {}
  socket.on('data', (part) => {
    text += part
    onText()
  })
  /** Resolves once as much text as `wanted` has come. */
  const heard = (wanted: string): Promise<void> =>
    new Promise((resolve) => {
      onText = () => {
        if (text.length >= wanted.length) resolve()
      }
      onText()
    })
  const words = ['ECHO', 'a text that is longer than the window of short words']
  const request = `*2\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`
  const reply = `$${words[1]?.length}\r\n${words[1]}\r\n`
  for (let cut = 1; cut < request.length; cut++) {
    text = ''
    // The reply to PING proves that the server read the first part alone.
    socket.write(`PING\r\n${request.slice(0, cut)}`)
    await heard('+PONG\r\n')
    socket.write(request.slice(cut))
    await heard(`+PONG\r\n${reply}`)
    expect(text).toBe(`+PONG\r\n${reply}`)
  }
  socket.destroy()
  await dev.stop()
}, 20_000)

it('a pipeline of thousands of commands is answered whole', async () => {
  const dev = await startDev()
  const client = new Redis(dev.redisUrl)
  const pipeline = client.pipeline()
  for (let i = 0; i < 10_000; i++) pipeline.set(`k:${i}`, `v${i}`)
  const replies = (await pipeline.exec()) ?? []
  expect(replies.filter(([error, reply]) => error || reply !== 'OK')).toEqual([])
  expect(await client.dbsize()).toBe(10_000)
  client.disconnect()
  await dev.stop()
}, 20_000)

it('a client may write a whole pipeline before it reads a reply', async () => {
  const dev = await startDev()
  const socket = connect(Number(new URL(dev.redisUrl).port), '127.0.0.1')
  const request = Buffer.from(`*2\r\n$4\r\nECHO\r\n$1000\r\n${'x'.repeat(1000)}\r\n`)
  const COUNT = 20_000
  // Nothing is read until all is written: a socket reads once it has a listener of `data`.
  await new Promise((resolve) => socket.write(Buffer.concat(Array(COUNT).fill(request)), resolve))
  let left = COUNT * '$1000\r\n\r\n'.length + COUNT * 1000
  await new Promise<void>((resolve) => {
    socket.on('data', ({ length }) => {
      left -= length
      if (left === 0) resolve()
    })
  })
  socket.destroy()
  await dev.stop()
}, 20_000)
