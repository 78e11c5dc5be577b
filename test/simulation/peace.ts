import type { Actions } from './actions.ts'
import type { Asking } from './facts.ts'
import type { Node } from './nodes.ts'
import { COARSE_MS } from './scenario.ts'
import { KEYS, LONG_MS, type Space, type Stage, TAGS } from './stage.ts'

/**
 * Mends the network and lets time pass. Then every call must have settled, with no lease held and no timer left; all nodes must
 * see the same values, and every key can be loaded and written.
 */
export async function playPeace(stage: Stage, actions: Actions): Promise<void> {
  const { world, oracle, nodes, open, tell, scenario } = stage
  for (const { link } of nodes) Object.assign(link, { loss: 0, stall: 0, ghost: 0, cut: 'no' })
  if (!oracle.fault) await world.run(world.time + LONG_MS)
  if (!oracle.fault) {
    tell('', () => 'peace')
    checkNothingIsLeft(stage)
  }
  /** Makes calls, and waits until all have settled. */
  const round = async (make: () => void): Promise<void> => {
    if (oracle.fault) return
    make()
    for (let ms = 0; open.size > 0 && ms < LONG_MS; ms += 20) await world.run(world.time + 20)
    for (const { what } of open) oracle.fail(`${what} never settles, in peace`)
    for (const { name, machine } of nodes) {
      // A feed repeats its last number twice.
      if (machine.timers.size > (scenario.tier === 'feed' ? 1 : 0))
        oracle.fail(`${name} has ${machine.timers.size} timers left, though it does nothing`)
    }
  }
  await round(() => everybodyReads(stage, actions, false))
  if (!oracle.fault) await world.run(world.time + scenario.maxAge + COARSE_MS)
  if (!oracle.fault) oracle.checkMadeGood((name) => nodes.some((node) => node.name === name))
  await round(() => everybodyReads(stage, actions, true))
  await round(() => everybodyLoads(stage, actions))
  for (const node of nodes) await round(() => writes(stage, actions, node))
}

function checkNothingIsLeft({ world, server, oracle, nodes, spaces, open }: Stage): void {
  for (const { what } of open) oracle.fail(`${what} never settles`)
  for (const { name, cache, machine } of nodes) {
    const { inFlight } = cache.stats()
    if (inFlight > 0) oracle.fail(`${name} has ${inFlight} loads in flight, though every call has settled`)
    if (machine.timers.size > 0) oracle.fail(`${name} has ${machine.timers.size} timers left`)
  }
  for (const { names } of spaces) {
    for (const key of KEYS) {
      const text = server.peek(names.key(key))
      if (text && Number(text.slice(91, 104)) > world.time)
        oracle.fail(`${names.key(key)} is leased, and nobody loads it`)
    }
  }
}

function everybodyReads({ nodes, spaces }: Stage, { make, read }: Actions, settled: boolean): void {
  for (const node of nodes) {
    for (const space of spaces) {
      for (const key of KEYS)
        make(node, space, {
          what: `get ${key}`,
          call: () => space.of(node).get(key),
          settled: (asking, answer) => read(asking, key, answer, { settled }),
        })
    }
  }
}

function everybodyLoads(stage: Stage, { make, readThrough }: Actions): void {
  const { world, oracle, nodes, spaces, scenario } = stage
  for (const node of nodes) {
    const space = spaces[0] as Space
    for (const key of KEYS) {
      const id = stage.nextId()
      const loader = async (asking: Asking): Promise<unknown> => {
        const load = oracle.loading(asking, key, scenario.plain)
        await world.sleep(5, node.machine)
        oracle.loaded(id, load, asking, key, [], [])
        return { key, id }
      }
      make(node, space, {
        what: `getOrSet ${key}`,
        call: (asking) => space.of(node).getOrSet(key, () => loader(asking), { ttl: 600_000 }),
        settled: (asking, answer) => readThrough(asking, key, answer, {}),
      })
    }
  }
}

function writes(stage: Stage, { make }: Actions, node: Node): void {
  const { oracle, spaces, scenario } = stage
  const space = spaces[0] as Space
  const id = stage.nextId()
  make(node, space, {
    what: `set a = #${id} [${TAGS}]`,
    call: (asking) => {
      oracle.writing(id, asking, 'a', TAGS)
      return space.of(node).set('a', { key: 'a', id }, { ...(!scenario.plain && { tags: TAGS }), ttl: 600_000 })
    },
    settled: (asking) => oracle.acknowledged(asking, space.names.key('a'), ['set']),
  })
}
