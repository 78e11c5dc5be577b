import type { ChildProcess } from 'node:child_process'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Server, startServer } from '../../scripts/servers.ts'
import { forkSource } from '../support/fork-source.ts'
import { inLanes, pause } from './support/ways.ts'

// Servers are killed in the middle of a request, and clients send it again until a response says what became of it.

const KEYS = 334
const SENT_AT_ONCE = 3
const SERVERS = 4
/** Responses between two kills. If a clock decided, a busy machine would kill servers before they respond at all. */
const ANSWERS_PER_KILL = 15

interface Running {
  readonly child: ChildProcess
  readonly url: string
}

let redis: Server
let admin: Redis
const servers: (Running | undefined)[] = []
let kills = 0

async function start(): Promise<Running> {
  const child = forkSource(new URL('support/idempotency-child.ts', import.meta.url), redis.url)
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(message as number))
    child.once('exit', () => reject(new Error('the server did not start')))
  })
  return { child, url: `http://127.0.0.1:${port}/pay` }
}

beforeAll(async () => {
  redis = await startServer('redis7')
  admin = new Redis(redis.url)
  for (let i = 0; i < SERVERS; i++) servers[i] = await start()
}, 60_000)
afterAll(async () => {
  for (const server of servers) server?.child.kill('SIGKILL')
  admin?.disconnect()
  await redis?.stop()
})

const starting: Promise<void>[] = []
let answers = 0

/** Kills the next server and starts it again, unless it is the only one that runs. */
function killNext(): void {
  const at = kills % SERVERS
  if (servers.filter(Boolean).length < 2 || !servers[at]) return
  servers[at]?.child.kill('SIGKILL')
  servers[at] = undefined
  kills++
  starting.push(
    start().then((server) => {
      servers[at] = server
    }),
  )
}

interface Told {
  readonly status: number
  readonly body: string
}

/** Sends a request again until a response says what became of it. */
async function send(key: string): Promise<Told> {
  for (;;) {
    const up = servers.filter((server) => server !== undefined)
    const { url } = up[Math.floor(Math.random() * up.length)] ?? {}
    const response =
      url && (await fetch(url, { method: 'POST', headers: { 'Idempotency-Key': key } }).catch(() => undefined))
    const body = response && (await response.text().catch(() => undefined))
    if (!response || body === undefined || response.headers.has('Retry-After')) await pause(20)
    else {
      if (++answers % ANSWERS_PER_KILL === 0) killNext()
      return { status: response.status, body }
    }
  }
}

it('1,000 duplicates under killed servers run the handler once each, or say that it may have run', async () => {
  const told = new Map<string, Told[]>()
  await inLanes(10, KEYS, async (i) => {
    const key = `key-${i}`
    told.set(key, await Promise.all(Array.from({ length: SENT_AT_ONCE }, () => send(key))))
  })
  await Promise.all(starting)
  let done = 0
  let unknown = 0
  for (const [key, answers] of told) {
    const runs = Number((await admin.get(`runs:${key}`)) ?? 0)
    expect([key, runs <= 1]).toEqual([key, true])
    for (const { status, body } of answers) {
      if (status === 201) {
        done++
        expect([key, runs, body]).toEqual([key, 1, answers.find((answer) => answer.status === 201)?.body])
      } else {
        unknown++
        expect([key, status, body]).toEqual([key, 409, expect.stringContaining('may have been carried out')])
      }
    }
  }
  console.log(`idempotency: ${kills} servers killed, ${done} requests answered, ${unknown} told that it may have run`)
  expect(done + unknown).toBe(KEYS * SENT_AT_ONCE)
  expect(kills).toBeGreaterThan(5)
  expect(unknown).toBeGreaterThan(0)
  expect(done).toBeGreaterThan(KEYS)
}, 600_000)
