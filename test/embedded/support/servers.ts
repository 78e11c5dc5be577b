import { connect } from 'node:net'
import { afterAll, beforeAll } from 'vitest'
import { startServer } from '../../../scripts/servers.ts'
import { createConnection, type Engine } from '../../../src/embedded/index.ts'
import { frame, readReply, type Typed } from './typed.ts'

/** Something that replies to commands: the engine, or a server at the other end of a socket. */
export interface Server {
  /** Sends all commands at once. Resolves to the replies in order. */
  ask(commands: readonly (readonly string[])[]): Promise<Typed[]>
  close(): void
}

function createCollector(): {
  add(text: string): void
  take(count: number): Promise<Typed[]>
  fail(error: Error): void
} {
  let buffer = ''
  let at = 0
  const replies: Typed[] = []
  let waiting: { count: number; resolve(replies: Typed[]): void; reject(error: Error): void } | undefined
  const settle = (): void => {
    if (!waiting || replies.length < waiting.count) return
    const { count, resolve } = waiting
    waiting = undefined
    resolve(replies.splice(0, count))
  }
  return {
    add(text) {
      buffer = at > 0 ? buffer.slice(at) + text : buffer + text
      at = 0
      for (let read = readReply(buffer, at); read; read = at < buffer.length ? readReply(buffer, at) : undefined) {
        at = read[1]
        replies.push(read[0])
      }
      settle()
    },
    take: (count) =>
      new Promise((resolve, reject) => {
        waiting = { count, resolve, reject }
        settle()
      }),
    fail: (error) => waiting?.reject(error),
  }
}

export async function overSocket(url: string): Promise<Server> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  const collector = createCollector()
  socket.on('data', (data) => collector.add(data.toString('latin1')))
  socket.on('close', () => collector.fail(new Error('the server closed the connection')))
  return {
    ask(commands) {
      socket.write(commands.map(frame).join(''), 'latin1')
      return collector.take(commands.length)
    },
    close: () => socket.destroy(),
  }
}

export function overEngine(engine: Engine): Server {
  const collector = createCollector()
  const connection = createConnection(engine, { write: (text) => collector.add(text), end: () => {} })
  return {
    ask(commands) {
      connection.feed(Buffer.from(commands.map(frame).join(''), 'latin1'))
      return collector.take(commands.length)
    },
    close: () => connection.close(),
  }
}

/** `engine` beside a real Redis 8, for the tests of the file that calls this. `theirs` is there once the tests begin. */
export function besideRedis(engine: Engine): { readonly own: Server; readonly theirs: () => Server } {
  let redis: Awaited<ReturnType<typeof startServer>> | undefined
  let theirs: Server | undefined
  const own = overEngine(engine)
  beforeAll(async () => {
    redis = await startServer('redis8')
    theirs = await overSocket(redis.url)
  }, 60_000)
  afterAll(async () => {
    theirs?.close()
    own.close()
    engine.close()
    await redis?.stop()
  })
  return {
    own,
    theirs: () => {
      if (!theirs) throw new Error('the Redis has not been started yet')
      return theirs
    },
  }
}
