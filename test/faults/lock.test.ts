import { Redis } from 'ioredis'
import { describe, expect, it } from 'vitest'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'
import { ask } from '../../scripts/servers.ts'
import { createLocks, type Locks } from '../../src/lock/index.ts'
import { lockStep } from '../../src/lock/operations.ts'
import type { AtomicStore } from '../../src/store/store.ts'
import { forkSource } from '../support/fork-source.ts'
import { rounds } from '../support/rounds.ts'
import { createTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import type { FromLockChild, LockReport, LockTask } from './support/lock-child.ts'
import { closing, code, held, open, serve } from './support/locks.ts'
import { inLanes, pause, sentOnce, startWay, wayNames } from './support/ways.ts'

// A lock has one holder at a time, even when a process or a server is killed or stopped, or replies are lost.

describe('contenders whose processes are stopped', () => {
  const CHILDREN = 8
  const TTL = 300
  const total = rounds({ quick: 240, soak: 10_000 })
  const bites = rounds({ quick: 5, soak: 100 })
  /** Names locked at the same time, with 32 contenders each. Most of the time all of them wait for a stopped holder. */
  const NAMES = rounds({ quick: 1, soak: 2 })

  /** Contends for one name. Resolves to the reports of the processes, the tokens granted, and those the resource accepted. */
  const contend = async (): Promise<{ reports: LockReport[]; grants: number[]; accepted: number[] }> => {
    const { url } = await serve()
    const task: LockTask = {
      url,
      contenders: 4,
      acquisitions: total / NAMES / CHILDREN,
      ttlMs: TTL,
      oneIn: rounds({ quick: 10, soak: 40 }),
    }
    const start = (): Promise<LockReport> => {
      const child = forkSource(new URL('support/lock-child.ts', import.meta.url), JSON.stringify(task))
      closing.push(() => child.kill('SIGKILL'))
      return new Promise((resolve, reject) => {
        child.once('exit', () => reject(new Error('a child has ended')))
        child.on('message', (message: FromLockChild) => {
          if ('report' in message) return resolve(message.report)
          child.kill('SIGSTOP')
          setTimeout(() => child.kill('SIGCONT'), TTL * (0.5 + 2.5 * Math.random()))
        })
      })
    }
    const reports = await Promise.all(Array.from({ length: CHILDREN }, start))
    const client = new Redis(url)
    closing.push(() => client.disconnect())
    const list = async (key: string): Promise<number[]> => (await client.lrange(key, 0, -1)).map(Number)
    return { reports, grants: await list('grants'), accepted: await list('accepted') }
  }

  it(`write nothing stale to a fenced resource in ${total} acquisitions`, async () => {
    const all = await Promise.all(Array.from({ length: NAMES }, contend))
    const stale = all.flatMap(({ grants, accepted }) => {
      expect(grants.length).toBeGreaterThanOrEqual(total / NAMES)
      expect(grants.every((token, i) => i === 0 || token > (grants[i - 1] as number))).toBe(true)
      // In the order in which the server granted the locks, lists each write accepted after one of a later holder.
      const order = new Map(grants.map((token, i) => [token, i]))
      const places = accepted.map((token) => order.get(token) as number)
      return places.filter((at, i) => i > 0 && at < (places[i - 1] as number))
    })
    const sum = (part: keyof LockReport): number =>
      all.flatMap(({ reports }) => reports).reduce((sum, report) => sum + report[part], 0)
    const writes = all.reduce((sum, { accepted }) => sum + accepted.length, 0)
    console.log(
      `fenced resource: ${sum('acquired')} acquisitions, ${writes} writes accepted, ${sum('rejected')} rejected, ${stale.length} stale`,
    )
    expect(stale).toEqual([])
    expect(sum('rejected')).toBeGreaterThan(bites)
    expect(sum('unnoticed')).toBe(0)
  }, 1_200_000)
})

describe('failovers with a cut link', () => {
  interface Rig {
    readonly primary: AtomicStore
    readonly replica: AtomicStore
    cut(): void
    promote(): Promise<void>
    /** Resolves once the second server is a replica of the first again and has all of its data. */
    follow(): Promise<void>
  }
  const startRig = async (): Promise<Rig> => {
    const first = await serve('--repl-diskless-sync-delay', '0')
    const second = await serve()
    const proxy: TcpProxy = await createTcpProxy(first.url)
    closing.push(() => proxy.stop())
    const rig: Rig = {
      primary: open(first.url),
      replica: open(second.url),
      // Stopping the replica would not do: the kernel buffers the bytes sent to it.
      cut: () => proxy.stall(),
      async promote() {
        await ask(second.port, 'REPLICAOF NO ONE')
      },
      async follow() {
        proxy.cut()
        await proxy.pass()
        await ask(second.port, `REPLICAOF 127.0.0.1 ${proxy.port}`)
        await expect.poll(() => ask(second.port, 'INFO replication'), { timeout: 30_000 }).toContain('link_status:up')
        const offset = (info: string, name: string): string => new RegExp(`${name}:(\\d+)`).exec(info)?.[1] ?? ''
        await expect
          .poll(
            async () =>
              offset(await ask(second.port, 'INFO replication'), 'slave_repl_offset') ===
              offset(await ask(first.port, 'INFO replication'), 'master_repl_offset'),
            { timeout: 30_000 },
          )
          .toBe(true)
      },
    }
    await rig.follow()
    return rig
  }
  /** Makes two holders of one name at a time, as a failover with asynchronous replication does. Resolves to their tokens. */
  const failOver = async (rig: Rig, before: Locks, after: Locks): Promise<[old: number[], next: number[]]> => {
    const cycle = async (locks: Locks): Promise<number> => {
      const lock = await held(locks.acquire('k', { wait: '30s' }))
      await lock.release()
      return lock.token
    }
    await rig.follow()
    const old = [await cycle(before)]
    await pause(20)
    rig.cut()
    for (let i = 0; i < 5; i++) old.push(await cycle(before))
    const first = await held(before.acquire('k'))
    await rig.promote()
    const second = await held(after.acquire('k'))
    first.assertHeld()
    await second.release()
    await first.release()
    return [
      [...old, first.token],
      [second.token, await cycle(after), await cycle(after)],
    ]
  }
  const total = rounds({ quick: 4, soak: 100 })
  it(`never repeat a token nor lower it, in ${total} rounds`, async () => {
    const rig = await startRig()
    const [before, after] = [rig.primary, rig.replica].map((store) => createLocks({ store, namespace: 'f' })) as [
      Locks,
      Locks,
    ]
    for (let round = 0; round < total; round++) {
      const [old, next] = await failOver(rig, before, after)
      const all = [...old, ...next]
      expect(all.filter((token, i) => i > 0 && token <= (all[i - 1] as number))).toEqual([])
    }
    console.log(`failovers: two holders in ${total} of ${total}, 0 tokens equal, 0 lower`)
  }, 600_000)
  it('repeat the tokens of a counter', async () => {
    const rig = await startRig()
    const counting = { ...lockStep, lua: lockStep.lua.replace('math.max(us, last + 1)', 'last + 1') }
    expect(counting.lua).not.toBe(lockStep.lua)
    const locks = (store: AtomicStore): Locks => {
      const run = (_: unknown, ...rest: unknown[]) => store.run(counting, ...(rest as [string, never]))
      return createLocks({ store: { ...store, run: run as AtomicStore['run'] }, namespace: 'f' })
    }
    const [old, next] = await failOver(rig, locks(rig.primary), locks(rig.replica))
    expect(next.some((token) => old.includes(token))).toBe(true)
  }, 120_000)
  it('of a lock that a replica must confirm have one holder', async () => {
    const rig = await startRig()
    const [before, after] = [rig.primary, rig.replica].map((store) =>
      createLocks({ store, namespace: 'f', minReplicas: store === rig.primary ? 1 : 0 }),
    ) as [Locks, Locks]
    for (let round = 0; round < rounds({ quick: 2, soak: 20 }); round++) {
      const lock = await held(before.acquire(`confirmed:${round}`))
      rig.cut()
      expect(await before.acquire(`cut:${round}`)).toBeUndefined()
      // The lock that was refused was released on the primary.
      expect(await held(createLocks({ store: rig.primary, namespace: 'f' }).acquire(`cut:${round}`))).toBeDefined()
      await expect(lock.extend('5m')).rejects.toEqual(code('STORE_UNAVAILABLE'))
      await rig.promote()
      expect(await after.acquire(`confirmed:${round}`)).toBeUndefined()
      lock.assertHeld()
      await lock.release()
      await rig.follow()
    }
  }, 120_000)
  it('two replicas are more than one', async () => {
    const rig = await startRig()
    expect(await createLocks({ store: rig.primary, minReplicas: 2 }).acquire('k')).toBeUndefined()
    const through = ioredisStore(await connect((await serve()).url))
    closing.push(() => through.close())
    expect(await createLocks({ store: through, minReplicas: 1 }).acquire('k')).toBeUndefined()
  }, 60_000)
})

describe.each(wayNames)('lost replies, %s', (name) => {
  const total = rounds({ quick: 100, soak: 1000 })
  it(`are recognised: ${total} of ${total} acquired and released by the second sending`, async () => {
    const way = await startWay(name)
    closing.push(() => way.stop())
    const LANES = 20
    const stores = await Promise.all(Array.from({ length: LANES }, () => way.open({ timeoutMs: 20_000 })))
    await Promise.all(stores.map((store) => store.ready()))
    const lost = new Set<string>()
    way.lose((text) => {
      let hit = false
      const verb = /\b(take|free)\b/.exec(text.slice(text.lastIndexOf('first:')))?.[0]
      for (const [key] of text.matchAll(/first:\d+:/g)) {
        hit ||= !lost.has(`${verb}${key}`)
        lost.add(`${verb}${key}`)
      }
      return hit
    })
    const locks = stores.map((store) => createLocks({ store, namespace: 'lost', ttl: '10m' }))
    /** Rounds whose release was never sent, as its error says: the client was still reconnecting. */
    const unsent = new Set<number>()
    await inLanes(LANES, total, async (round, lane) => {
      const acquired = await sentOnce(() => held((locks[lane] as Locks).acquire(`first:${round}:`)))
      if ('error' in acquired) throw acquired.error
      const released = await acquired.value.release().catch((error: unknown) => {
        if ((error as { maybeExecuted?: unknown }).maybeExecuted !== false) throw error
        unsent.add(round)
        return true
      })
      expect(released).toBe(true)
    })
    expect(lost.size).toBe(total * 2 - unsent.size)
    expect(unsent.size).toBeLessThanOrEqual(total / 100)
    await way.pass()
    // Every lock whose release was sent is free.
    const direct = createLocks({ store: way.direct, namespace: 'lost' })
    for (let round = 0; round < total; round++) {
      if (!unsent.has(round)) await held(direct.acquire(`first:${round}:`, { renew: false }))
    }
  }, 300_000)
})
