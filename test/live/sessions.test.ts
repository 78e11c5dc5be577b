import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'
import { type StartedGateway, startGateway } from '../../adapters/node/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import { ask, type Server, startServer } from '../../scripts/servers.ts'
import type { CommandStore } from '../../src/index.ts'
import { createCookies, digestOf } from '../../src/session/cookie.ts'
import { createSessions, type Sessions } from '../../src/session/index.ts'
import { inLanes } from '../faults/support/ways.ts'
import { rounds } from '../support/rounds.ts'

// Three nodes over one Redis, each with another transport. A session that ends on one node must end on all.

const ROUNDS = rounds({ quick: 150, soak: 10_000 })
const SAVES = 100
/** Rounds at a time, with 100 saves each. */
const LANES = 4
/** Rotations at a time: each waits for eight round trips, one after another. */
const ROTATING = 40
const secret = crypto.getRandomValues(new Uint8Array(32))
const namespace = 'live'
const cookieOf = (setCookie: string | undefined): string => setCookie?.split(';')[0] ?? ''
const request = (cookie = ''): Request => new Request('https://a.example/', { headers: { cookie } })
type Data = Record<string, number>

describe('sessions on three nodes', () => {
  let server: Server
  let gateway: StartedGateway
  let stores: CommandStore[]
  let nodes: Sessions<Data>[]
  beforeAll(async () => {
    server = await startServer('redis8')
    gateway = await startGateway({ redis: server.url })
    stores = [tcpStore({ url: server.url }), ioredisStore(await connect(server.url)), upstashStore(gateway)]
    nodes = stores.map((store) => createSessions<Data>({ store, namespace, secrets: [secret] }))
  }, 60_000)
  afterAll(async () => {
    await Promise.all(stores.map((store) => store.close()))
    await gateway.stop()
    await server.stop()
  })
  const node = (i: number): Sessions<Data> => nodes[i % nodes.length] as Sessions<Data>
  const begin = async (i: number, subject?: string): Promise<string> => {
    const session = await node(i).open(request())
    session.set('n', i)
    if (subject) session.bind(subject)
    return cookieOf(await session.save())
  }

  it(`none of ${ROUNDS} sessions that are destroyed in the middle of ${SAVES} saves is revived`, async () => {
    let revived = 0
    await inLanes(LANES, ROUNDS, async (round) => {
      const subject = round % 3 === 2 ? `user:${round}` : undefined
      const cookie = await begin(round, subject)
      const open = await Promise.all(Array.from({ length: SAVES }, (_, i) => node(i % 2).open(request(cookie))))
      const ending = Math.floor(Math.random() * SAVES)
      const calls = open.map(async (session, i) => {
        session.set(`f${i}`, i)
        if (i === ending) {
          if (subject) await node(i).destroyAll(subject)
          else await session.destroy()
          return
        }
        // Every tenth request of a session with a subject logs in again meanwhile.
        if (subject && i % 10 === 0) session.bind(subject)
        await session.save()
      })
      await Promise.all(calls)
      if (!(await node(round).open(request(cookie))).isNew) revived++
    })
    console.log(`sessions: ${revived} revived of ${ROUNDS}, each destroyed in the middle of ${SAVES} saves`)
    expect(revived).toBe(0)
  }, 3_600_000)

  it(`an id is accepted by none of three nodes right after rotate, ${ROUNDS} times`, async () => {
    let accepted = 0
    await inLanes(ROTATING, ROUNDS, async (round) => {
      const cookie = await begin(round)
      const session = await node(round).open(request(cookie))
      await session.rotate()
      const replays = await Promise.all(nodes.map((each) => each.open(request(cookie))))
      const next = cookieOf(await session.save())
      replays.push(...(await Promise.all(nodes.map((each) => each.open(request(cookie))))))
      accepted += replays.filter(({ isNew }) => !isNew).length
      expect((await node(round + 1).open(request(next))).get('n')).toBe(round)
    })
    console.log(`sessions: ${accepted} replays of an old id accepted, by three nodes after each of ${ROUNDS} rotations`)
    expect(accepted).toBe(0)
  }, 3_600_000)

  it('a dump of the store gives no id that works, even to one who can sign', async () => {
    // The dump must hold only these sessions: the test tries all its text as ids, so the cost grows with the square of its size.
    await ask(server.port, 'FLUSHALL')
    const cookies = await Promise.all(Array.from({ length: 40 }, (_, i) => begin(i, `user:${i}`)))
    const { transport } = stores[0] as CommandStore
    const dump: string[] = []
    for (let cursor = '0'; ; ) {
      const reply = await transport.send({ args: ['SCAN', cursor, 'COUNT', 1000], effect: 'read' })
      const [next, keys] = reply as [string, string[]]
      for (const key of keys) dump.push(key, (await stores[0]?.get(key)) ?? '')
      cursor = String(next)
      if (cursor === '0') break
    }
    const text = dump.join('\n')
    const signer = createCookies([secret], namespace, {
      name: '__Host-session',
      path: '/',
      sameSite: 'Lax',
      secure: true,
      maxAgeSeconds: 60,
    })
    const windows = new Set<string>()
    for (const [word] of text.matchAll(/[\w-]{32,}/g)) {
      for (let at = 0; at + 32 <= word.length; at++) windows.add(word.slice(at, at + 32))
    }
    expect(windows.size).toBeGreaterThan(200)
    for (const cookie of cookies) expect(text).not.toContain(cookie.slice('__Host-session='.length).split('.')[0])
    // A session's key has the digest of its id. No text in the dump may have a digest that is in the dump too.
    let opened = 0
    for (const id of windows) if (text.includes(digestOf(id))) opened++
    const some = [...windows].filter((_, i) => i % Math.ceil(windows.size / 300) === 0)
    for (const id of some) {
      const signed = cookieOf(signer.write({ id, subject: '' }))
      for (const cookie of [`__Host-session=${id}`, signed]) {
        if (!(await node(0).open(request(cookie))).isNew) opened++
      }
    }
    expect(opened).toBe(0)
    // Proves that the signer is the right one: from an id that was issued it makes a cookie that works.
    const [id = '', subject = ''] = cookies[0]?.slice('__Host-session='.length).split('.') ?? []
    expect((await node(0).open(request(cookieOf(signer.write({ id, subject }))))).get('n')).toBe(0)
  }, 120_000)
})
