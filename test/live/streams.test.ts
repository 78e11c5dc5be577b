import type { ChildProcess } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { list, stream } from '../../src/structures/index.ts'
import { forkSource } from '../support/fork-source.ts'
import { rounds } from '../support/rounds.ts'
import { type ConsumerOptions, openCommandStore } from './support/consumer.ts'
import { sharedWays } from './support/ways.ts'

// Consumers in separate processes are killed in the middle of their work. No message is lost, and redelivered ones are marked.

const MESSAGES = rounds({ quick: 200, soak: 20_000 })
const KILLS = rounds({ quick: 4, soak: 200 })
const CONSUMERS = 3

for (const name of ['TCP', 'REST'] as const) {
  describe(`streams and killed consumers, ${name}`, () => {
    it(`${MESSAGES} messages, ${KILLS} kills: none is lost, and what comes again is marked`, async () => {
      const way = await sharedWays[name]()
      const namespace = `killed-${Math.random().toString(36).slice(2)}`
      const space = { store: openCommandStore(way.address), namespace }
      const jobs = stream<number>(space, 'jobs')
      const group = jobs.group('g')
      await group.create()
      for (let n = 0; n < MESSAGES; n += 100) {
        await Promise.all(Array.from({ length: 100 }, (_, i) => jobs.append(n + i)))
      }
      let started = 0
      let worked = 0
      const start = (): ChildProcess => {
        const options: ConsumerOptions = { address: way.address, namespace, consumer: `c${started++}` }
        const child = forkSource(new URL('support/consumer.ts', import.meta.url), JSON.stringify(options))
        child.on('message', () => worked++)
        return child
      }
      const children = Array.from({ length: CONSUMERS }, start)
      const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))
      for (let kill = 0; kill < KILLS; kill++) {
        const until = Math.min(worked + 1 + Math.floor(Math.random() * (MESSAGES / KILLS)), MESSAGES - 1)
        while (worked < until && (await group.pending()).count + ((await group.lag()) ?? 0) > 0) await settle()
        const victim = kill % CONSUMERS
        children[victim]?.kill('SIGKILL')
        children[victim] = start()
      }
      for (;;) {
        const [{ count }, lag] = await Promise.all([group.pending(), group.lag()])
        if (count === 0 && lag === 0) break
        await settle()
      }
      const done = await list<[number, number]>(space, 'done').range(0, -1)
      const seen = new Map<number, number[]>()
      for (const [n, deliveries] of done) seen.set(n, [...(seen.get(n) ?? []), deliveries])
      expect(seen.size).toBe(MESSAGES)
      // The order does not matter: the first consumer of an entry may be slower than the one that has claimed the entry from it.
      const unmarked = [...seen].filter(([, times]) => times.filter((deliveries) => deliveries < 2).length > 1)
      expect(unmarked).toEqual([])
      for (const child of children) child.kill('SIGKILL')
      await space.store.close()
      await way.stop()
    }, 3_600_000)
  })
}
