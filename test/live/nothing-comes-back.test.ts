import { afterAll, expect, it } from 'vitest'
import { memoryStore } from '../../adapters/memory/index.ts'
import { createCache } from '../../src/index.ts'
import { whyNoGarnet } from '../support/garnet.ts'
import { rounds } from '../support/rounds.ts'
import { type Agent, acts, createAgent, type Later, pause, type Round } from './support/agent.ts'
import { startChild } from './support/children.ts'
import { openStore } from './support/store.ts'
import { sharedWays } from './support/ways.ts'

// One process removes or replaces a value while another loads it. Callers that came before may get the old load's value; callers
// that come later must not, in any process.

const ROUNDS = rounds({ quick: 200, soak: 2500 })
/** The ways of `withMore` have more processes, and more rounds in a long run. */
const MORE = { processes: 4, rounds: rounds({ quick: 100, soak: 10_000 }) }
const withMore: readonly string[] = ['Memcached', 'Memcached, three servers', 'NATS', 'Cluster, own TCP', 'Garnet']
const noGarnet = await whyNoGarnet()
const LANES = 50
const options = { ttl: '1m', grace: '1m', storeTimeout: '20s' } as const

/** One agent in this process and one in each other process. On memory both are in this process, over one store. */
interface Agents {
  readonly agents: readonly Agent[]
  stop(): Promise<void>
}

async function start(name: 'memory' | keyof typeof sharedWays): Promise<Agents> {
  const namespace = `back-${Math.random().toString(36).slice(2)}`
  const own = { ...options, namespace }
  if (name === 'memory') {
    const store = memoryStore()
    const open = (): Agent => createAgent(createCache({ ...own, store }))
    return { agents: [open(), open()], stop: async () => {} }
  }
  const way = await sharedWays[name]()
  const others = withMore.includes(name) ? MORE.processes - 1 : 1
  const [children, store] = await Promise.all([
    Promise.all(Array.from({ length: others }, () => startChild(way.address, own))),
    openStore(way.address),
  ])
  const here = createAgent(createCache({ ...own, store }))
  return {
    agents: [here, ...children.map(({ agent }) => agent)],
    async stop() {
      await Promise.all(children.map((child) => child.stop()))
      await here.close()
      await way.stop()
    },
  }
}

const counted: string[] = []
afterAll(() => console.log(`rounds, and wrong answers:\n${counted.join('\n')}`))

const NAMES = [
  ...(['memory', 'TCP', 'Cluster', 'REST'] as const),
  ...(['Memcached', 'Memcached, three servers', 'NATS', 'Cluster, own TCP', 'Garnet'] as const),
]

for (const name of NAMES) {
  it.skipIf(name === 'Garnet' && noGarnet !== undefined)(
    `nothing comes back, ${name}`,
    async () => {
      const { agents, stop } = await start(name)
      const wanted = withMore.includes(name) ? MORE.rounds : ROUNDS
      const wrong: unknown[] = []
      /** Rounds in which the value surely went during its load, and rounds on a Cluster in which it was loaded a second time. */
      let during = 0
      let again = 0
      const play = async (n: number): Promise<void> => {
        const act = acts[n % acts.length] as Round['act']
        const loadMs = n % 4 < 2 ? undefined : Math.floor(Math.random() * 6)
        const round: Round = {
          namespace: act === 'clear' ? `n${n}` : '',
          key: `k${n}`,
          act,
          prior: n % 3 === 0,
          ...(loadMs === undefined ? {} : { loadMs }),
        }
        const at = (i: number): Agent => agents[i % agents.length] as Agent
        const [loading, acting] = [at(n), at(n + 1 + (Math.floor(n / agents.length) % (agents.length - 1)))]
        await loading.begin(round)
        if (loadMs === undefined) during++
        else await pause(Math.floor(Math.random() * 6))
        await acting.act(round)
        const answers: Later[] = await Promise.all(agents.map((agent) => agent.later(round)))
        await loading.end(round)
        const old = await loading.old(round)
        // A value may be stored after its caller has it, so wait for the stores.
        await Promise.all(agents.map((agent) => agent.flush()))
        const last = await Promise.all(agents.map((agent) => agent.get(round)))

        const right = `${act === 'set' ? 'set' : 'new'}:${round.key}`
        const judge = (what: string, ok: boolean): void => {
          if (!ok) wrong.push({ what, round, answers, old, last })
        }
        judge('old callers', old.length === 3 && old.every((value) => value === `old:${round.key}`))
        for (const { got, loaded } of answers) {
          judge('get', got === right || (act !== 'set' && got === undefined))
          judge('load', loaded.length === 3 && loaded.every((value) => value === right))
        }
        const runs = answers.reduce((all, each) => all + each.runs, 0)
        // On a Cluster an entry and its tag versions are not read at one instant. A caller that reads in between loads once more.
        if (name.startsWith('Cluster') && runs === 2) again++
        else judge('loads', runs === (act === 'set' ? 0 : 1))
        judge(
          'resurrection',
          last.every((value) => value === right),
        )
      }
      try {
        let next = 0
        const lane = async (): Promise<void> => {
          while (next < wanted) await play(next++)
        }
        await Promise.all(Array.from({ length: LANES }, lane))
        counted.push(
          `${name}: ${wanted} rounds, ${during} of them surely during the load, ${wrong.length} wrong, ${again} loaded again`,
        )
        expect(wrong.slice(0, 3)).toEqual([])
        expect(during).toBeGreaterThan(wanted / 3)
        expect(again).toBeLessThan(wanted / 50)
        for (const agent of agents) expect(await agent.stats()).toMatchObject({ inFlight: 0, storeErrors: 0 })
      } finally {
        await stop()
      }
    },
    rounds({ quick: 600_000, soak: 7_200_000 }),
  )
}
