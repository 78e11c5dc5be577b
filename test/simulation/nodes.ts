import type { Cache } from '../../src/cache/types.ts'
import type { Life } from './facts.ts'
import { connect, type Link, type Watch } from './network.ts'
import type { Stage } from './stage.ts'
import { brief } from './wording.ts'
import type { Machine } from './world.ts'

/** One process with a cache, and its state. */
export interface Node {
  readonly name: string
  readonly machine: Machine
  readonly cache: Cache<'frozen'>
  readonly link: Link
  readonly life: Life
  /** Delete calls under way, and whether each has sent its command. */
  readonly deletes: Set<Deleting>
}

export interface Deleting {
  readonly key: string
  sent: boolean
}

const STORE_MS = 250

function createLife({ world, scenario: { lateMs, tier, maxAge } }: Stage, machine: Machine): Life {
  return {
    lateMs,
    failures: 0,
    open: false,
    maxAgeMs: tier === 'none' ? 0 : maxAge,
    feedless: tier === 'near',
    pulledMs: 0,
    heardAt: 0,
    jumps: 0,
    now: () => machine.now(),
    isUp: (ms) => !machine.dead && machine.pausedUntil < world.time - ms,
  }
}

/** Reports to the oracle what a node sends and receives. */
function watchOf({ world, scenario, oracle, tell }: Stage, name: string, life: Life, deletes: Set<Deleting>): Watch {
  return {
    sent: (what) => tell(name, () => `       sends ${what}`),
    failed: () => {
      life.failures++
      tell(name, () => '       hears nothing')
    },
    silent: () => void life.failures++,
    changing(keys, by, text) {
      const id = Number(/"id":(\d+)\}$/.exec(text)?.[1] ?? Number.NaN) || undefined
      for (const key of keys) oracle.unarrived.touched(name, key, by, id)
      if (id && by === 1) oracle.sent(id)
    },
    late([key = '']) {
      // A version.
      if (key.startsWith(':')) return undefined
      // It is unknown which of these calls sent the command, or whether another one did.
      const open = [...deletes].filter((one) => one.key === key)
      for (const one of open) one.sent = true
      if (open.length > 0) return undefined
      return { sentAt: world.tick() }
    },
    pulled(sentMs) {
      if (scenario.harsh === 0) life.pulledMs = sentMs
    },
    lost: (value) => oracle.lost(JSON.parse(value)),
  }
}

/** Starts the node of a place, also after the previous one has died. */
export function startNode(stage: Stage, place: number): void {
  const { boot, world, network, server, bus, lives, nodes, tell, chances, scenario } = stage
  const { plan, extra } = chances
  const { count, skews, harsh, events, plain, inOrder, tier, maxAge, grace, ttl, hardMs } = scenario
  const name = `${place}${stage.started < count ? '' : `.${stage.started}`}`
  const machine = world.machine(name)
  if (skews) machine.skewMs = plan.between(-1000, 1000) * (plan.hit(0.2) ? 3600 : 1)
  const life = createLife(stage, machine)
  lives.set(name, life)
  const link: Link = {
    delayMs: plan.pick([0.3, 2, 10]),
    loss: 0.01 * harsh + (events ? extra.pick([0, 0.03, 0.1]) : 0),
    stall: 0.005 * harsh,
    ghost: 0.01 * harsh,
    cut: 'no',
    inOrder,
  }
  const deletes = new Set<Deleting>()
  const { createCache, HitherError, messageFeed, nearTier, plain: plainFormat, pullFeed } = boot(machine)
  const watch = watchOf(stage, name, life, deletes)
  const store = connect(world, network, machine, server, bus, link, HitherError, watch)
  const feed =
    tier === 'feed' ? messageFeed() : tier === 'pull' ? pullFeed({ every: extra.pick([50, 1000]) }) : undefined
  const own = plain ? { format: plainFormat() } : { namespace: 'sim', grace }
  const cache = createCache({
    store,
    ...(tier === 'none' ? {} : { near: nearTier({ maxAge, ...(feed && { feed }) }) }),
    ...(own as { namespace: string }),
    ttl,
    storeTimeout: STORE_MS,
    hardTimeout: hardMs,
    onEvent(event) {
      if (event.type === 'breaker') {
        life.open = event.open
        life.failures++
      }
      if (event.type !== 'hit' && event.type !== 'miss')
        tell(name, () => `       event ${brief({ ...event, namespace: undefined })}`)
    },
  })
  nodes[place] = { name, machine, cache, link, life, deletes }
  stage.started++
}
