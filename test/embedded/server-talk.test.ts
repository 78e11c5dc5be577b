import { expect, it } from 'vitest'
import { startServer } from '../../scripts/servers.ts'
import { Engine } from '../../src/embedded/index.ts'
import { seedOfTheDay } from '../support/seed.ts'
import { serverTalk } from './support/server-talk.ts'
import { besideRedis, overEngine, overSocket, type Server } from './support/servers.ts'
import type { Typed } from './support/typed.ts'

const engine = new Engine()
const { own, theirs } = besideRedis(engine)

/** Removes the order from a map of names to values. */
const sorted = (reply: Typed): unknown =>
  Array.isArray(reply)
    ? reply.flatMap((item, i) => (i % 2 === 0 ? [JSON.stringify([item, reply[i + 1]])] : [])).sort()
    : reply

/** Redis does not reply to a pipeline of refused HELLO and AUTH, so from the first of them on each command is sent alone. */
async function askAll(server: Server, talk: readonly (readonly string[])[]): Promise<Typed[]> {
  const alone = talk.findIndex(([name]) => name === 'HELLO' || name === 'AUTH')
  const replies = await server.ask(talk.slice(0, alone))
  for (const words of talk.slice(alone)) replies.push(...(await server.ask([words])))
  return replies
}

it('answers commands of users, settings and connections as a Redis 8 does', async () => {
  const talk = serverTalk(seedOfTheDay())
  const [a, b] = await Promise.all([askAll(theirs(), talk), askAll(own, talk)])
  const seen = (words: readonly string[], reply: Typed): unknown =>
    words[0] === 'CONFIG' && words[1] === 'GET' ? sorted(reply) : reply
  const differences = talk.flatMap((words, i) => {
    const [reply, ours] = [seen(words, a[i] as Typed), seen(words, b[i] as Typed)]
    return JSON.stringify(reply) === JSON.stringify(ours) ? [] : [{ words, redis: reply, engine: ours }]
  })
  expect(differences).toEqual([])
}, 20_000)

it('knows the settings of a Redis 8 by their own values', async () => {
  const ask: string[][] = [
    ['CONFIG', 'RESETSTAT'],
    ...[...engine.config.values.keys()].map((name) => ['CONFIG', 'GET', name]),
  ]
  const fresh = new Engine()
  const other = await startServer('redis8')
  const [socket, plain] = [await overSocket(other.url), overEngine(fresh)]
  try {
    const [a, b] = await Promise.all([socket.ask(ask), plain.ask(ask)])
    const differing = ask.flatMap((words, i) => (JSON.stringify(a[i]) === JSON.stringify(b[i]) ? [] : [words[2]]))
    // These settings depend on the machine and on how the server was started.
    expect(differing.sort()).toEqual(['dir', 'logfile', 'port'])
  } finally {
    socket.close()
    plain.close()
    fresh.close()
    await other.stop()
  }
}, 20_000)
