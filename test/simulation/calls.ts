import type { CallOptions, WriteOptions } from '../../src/cache/types.ts'
import { type Asking, hasFailed, idOf, type Life } from './facts.ts'
import type { Node } from './nodes.ts'
import { COUNTER, type Open, type Space, type Stage, TAGS } from './stage.ts'
import { brief, isCode } from './wording.ts'

/** One call of a cache, and how it is judged. */
export interface Made {
  /** For the trace. */
  readonly what: string
  readonly call: (asking: Asking) => Promise<unknown>
  /** Judges the result. */
  readonly settled: (asking: Asking, answer: unknown) => void
  /** Whether the call may reject with this error. @default never */
  readonly mayReject?: (asking: Asking, error: unknown) => boolean
  /** The call must not reject when the store is down. */
  readonly survives?: boolean
}

/** How the result of a read is judged, where it differs from `get`. */
export interface HowRead {
  readonly exact?: boolean
  readonly taken?: boolean
  readonly settled?: boolean
  readonly near?: boolean
}

export type Limits = { signal?: AbortSignal; deadline?: number }

/** Makes calls, and has the oracle judge their results. */
export interface Calls {
  make(node: Node, space: Space, made: Made): void
  someTags(): string[]
  /** Returns options of a write; by chance, its failure is reported as an event. */
  asEvent(): { readonly onWriteFailure?: 'event' }
  /** Whether a write may have failed and been reported as an event. */
  isDropped(asking: Asking, options: WriteOptions): boolean
  /** Runs `work`. Until it has settled, these keys may be dropped from the near tier. */
  touching<T>(asking: Asking, keys: readonly string[], work: () => Promise<T>, id?: number): Promise<T>
  /** Returns, by chance, a signal or a deadline that ends the call early. */
  limits(node: Node): Limits
  /** Whether a call may reject because its signal or deadline ended it early. */
  early(limit: CallOptions): (asking: Asking, error: unknown) => boolean
  /** Records that the store replied to a call of this node. */
  heard(asking: Asking): void
  /** Judges the result of a read. */
  read(asking: Asking, key: string, answer: unknown, how?: HowRead): void
  checkKey(asking: Asking, key: string, answer: unknown): void
  readOptions(node: Node): Limits & { tags?: string[] }
  /** Reads a key soon after a write, since a lost write shows in what its own process reads next. */
  readSoon(node: Node, space: Space, key: string): void
  /** Judges the end of an explicit write, which may be an event where the options ask for one and the store failed. */
  arrived(options: WriteOptions, key: string, verb: string): (asking: Asking) => void
}

const LEFT = new Error('the caller left')

export function createCalls(stage: Stage): Calls {
  const { world, oracle, lives, open, tell, chances, scenario } = stage
  const { plan, extra } = chances
  const { events, plain, maxAge } = scenario

  const make: Calls['make'] = (node, space, { what, call, settled, mayReject = () => false, survives = false }) => {
    stage.calls++
    const asking: Asking = {
      node: node.name,
      names: space.names,
      from: world.tick(),
      since: world.time,
      failures: node.life.failures,
      heardAt: node.life.heardAt,
      jumps: node.life.jumps,
      clockMs: node.machine.now(),
      pulledMs: node.life.pulledMs,
    }
    const me: Open = { what: `${node.name} ${what} (call ${asking.from})`, node }
    open.add(me)
    tell(node.name, () => `${what} (call ${asking.from})`)
    const end = (how: () => string): void => {
      open.delete(me)
      tell(node.name, () => `       ${what} (call ${asking.from}): ${how()}`)
    }
    call(asking).then(
      (answer) => {
        settled(asking, answer)
        end(() => brief(answer))
      },
      (error: unknown) => {
        end(() => `rejected with ${error}`)
        const isStore = !survives && hasFailed(node.life, asking) && isCode(error, 'TIMEOUT', 'STORE_UNAVAILABLE')
        if (!isStore && !mayReject(asking, error)) oracle.fail(`${node.name} ${what} rejected with ${error}`)
      },
    )
  }
  const someTags = (): string[] => (plan.hit(0.5) || plain ? [] : TAGS.filter(() => plan.hit(0.4)))
  /** Returns options of a write; by chance, its failure is reported as an event. */
  const asEvent = (): { readonly onWriteFailure?: 'event' } =>
    events && extra.hit(0.6) ? { onWriteFailure: 'event' } : {}
  /** Whether a write may have failed and been reported as an event. */
  const isDropped = (asking: Asking, { onWriteFailure, deadline }: WriteOptions): boolean =>
    onWriteFailure === 'event' && (deadline !== undefined || hasFailed(lives.get(asking.node) as Life, asking))
  /** Runs `work`. Until it has settled, these keys may be dropped from the near tier. */
  const touching = async <T>(
    asking: Asking,
    keys: readonly string[],
    work: () => Promise<T>,
    id?: number,
  ): Promise<T> => {
    const touch = (by: 1 | -1): void => {
      for (const key of keys) oracle.unarrived.touched(asking.node, key, by, id)
    }
    touch(1)
    try {
      return await work()
    } finally {
      touch(-1)
    }
  }
  /** Returns, by chance, a signal or a deadline that ends the call early. */
  const limits = (node: Node): { signal?: AbortSignal; deadline?: number } => {
    const limit: { signal?: AbortSignal; deadline?: number } = {}
    if (plan.hit(0.1)) {
      const controller = new AbortController()
      limit.signal = controller.signal
      world.after(plan.about(30), () => controller.abort(LEFT), node.machine)
    }
    if (plan.hit(0.1)) limit.deadline = node.machine.now() + 1 + Math.floor(plan.about(200))
    return limit
  }
  const early =
    (limit: CallOptions) =>
    (_: Asking, error: unknown): boolean =>
      (error === LEFT && !!limit.signal) || (isCode(error, 'TIMEOUT') && limit.deadline !== undefined)
  const heard = (asking: Asking): void => {
    ;(lives.get(asking.node) as Life).heardAt = world.tick()
  }
  const checkKey: Calls['checkKey'] = (asking, key, answer) => {
    if (answer !== undefined && (answer as { key?: unknown })?.key !== key)
      oracle.fail(`${asking.node} got ${brief(answer)} for ${key}`)
  }
  const read: Calls['read'] = (asking, key, answer, how = {}) => {
    heard(asking)
    checkKey(asking, key, answer)
    oracle.answered(asking, key, idOf(answer), { exact: true, near: true, maybeStale: false, ...how })
  }
  const readOptions = (node: Node) => (plan.hit(0.5) || plain ? limits(node) : { tags: someTags(), ...limits(node) })
  /** Reads a key soon after a write, since a lost write shows in what its own process reads next. */
  const readSoon = (node: Node, space: Space, key: string): void => {
    if (!events || key === COUNTER || extra.hit(0.3)) return
    const get = (): void =>
      make(node, space, {
        what: `get ${key}`,
        call: () => space.of(node).get(key),
        settled: (asking, answer) => read(asking, key, answer),
      })
    world.after(extra.about(extra.pick([5, maxAge / 4])), get, node.machine)
  }
  /** Judges the end of an explicit write, which may be an event where the options ask for one and the store failed. */
  const arrived =
    (options: WriteOptions, key: string, verb: string) =>
    (asking: Asking): void => {
      if (isDropped(asking, options)) return
      heard(asking)
      oracle.acknowledged(asking, key, [verb])
    }

  const makes = { make, readSoon, read, checkKey, heard, arrived }
  return { ...makes, someTags, asEvent, isDropped, touching, limits, early, readOptions }
}
