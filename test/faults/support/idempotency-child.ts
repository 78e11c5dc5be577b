import { serve } from '@hono/node-server'
import { idempotency } from 'hither/hono'
import { createIdempotency } from 'hither/idempotency'
import { connect, ioredisStore } from 'hither/ioredis'
import { Hono } from 'hono'

/** A server whose only handler counts in Redis how often it ran for each key. */
const client = await connect(process.argv[2] as string)
const runs = ioredisStore(await connect(process.argv[2] as string))
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const app = new Hono()
  .use(
    idempotency({
      idempotency: createIdempotency({ store: ioredisStore(client), wait: 200, hold: 400 }),
      scope: () => 'all',
    }),
  )
  .post('/pay', async (c) => {
    const key = c.req.header('idempotency-key')
    await pause(Math.random() * 60)
    await runs.transport?.send({ args: ['INCR', `runs:${key}`], effect: 'once' })
    await pause(Math.random() * 60)
    return c.json({ paid: key, by: process.pid }, 201)
  })
serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) => process.send?.(port))
process.once('disconnect', () => process.exit(0))
