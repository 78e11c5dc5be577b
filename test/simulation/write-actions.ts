import type { WriteOptions } from '../../src/cache/types.ts'
import type { Act, Action } from './actions.ts'
import type { Calls } from './calls.ts'
import type { Asking } from './facts.ts'
import type { Deleting, Node } from './nodes.ts'
import { COUNTER, type Space, type Stage, TAGS } from './stage.ts'
import { isCode } from './wording.ts'

/** Calls that write a value, extend its lifetime, or remove it. */
export function writeActions(stage: Stage, calls: Calls): readonly Action[] {
  const { oracle, chances, spaces } = stage
  const { plan } = chances
  const { make, touching, limits, asEvent, early, heard, read, readSoon, isDropped, arrived } = calls

  const take: Act = (node, space, key) => {
    const options = calls.readOptions(node)
    make(node, space, {
      what: `take ${key}`,
      call: (asking) => touching(asking, [space.names.key(key)], () => space.of(node).take(key, options)),
      settled: (asking, answer) => {
        read(asking, key, answer, { exact: false, near: false, taken: true })
        if (answer !== undefined) oracle.acknowledged(asking, asking.names.key(key), ['take'])
      },
      mayReject: early(options),
    })
  }
  const touch: Act = (node, space, key) => {
    const options = { ttl: plan.pick([100, 2000]), ...limits(node) }
    make(node, space, {
      what: `touch ${key}`,
      call: (asking) => touching(asking, [space.names.key(key)], () => space.of(node).touch(key, options)),
      settled: (asking, answer) => {
        heard(asking)
        if (answer) oracle.acknowledged(asking, space.names.key(key), ['touch'])
      },
      mayReject: early(options),
    })
  }
  const remove = (node: Node, space: Space, key: string, options: WriteOptions): void => {
    const to = space.names.key(key)
    const deleting: Deleting = { key: to, sent: false }
    make(node, space, {
      what: `delete ${key}${options.onWriteFailure ? ', or an event' : ''}`,
      call: (asking) => {
        node.deletes.add(deleting)
        const call = (): Promise<unknown> => space.of(node).delete(key, options)
        return touching(asking, [to], call).catch((error: unknown) => {
          // A call whose own limit had passed before it was sent was not tried.
          const tried = deleting.sent || !isCode(error, 'TIMEOUT')
          if (isCode(error, 'TIMEOUT', 'STORE_UNAVAILABLE')) oracle.unarrived.deleteFailed(asking, to, tried)
          readSoon(node, space, key)
          node.deletes.delete(deleting)
          throw error
        })
      },
      settled: (asking) => {
        node.deletes.delete(deleting)
        if (isDropped(asking, options)) {
          oracle.unarrived.deleteFailed(asking, to, deleting.sent || options.deadline === undefined)
          return
        }
        heard(asking)
        oracle.acknowledged(asking, to, ['delete'])
      },
      mayReject: early(options),
    })
  }
  const expire: Act = (node, space, key) => {
    const options = { ...limits(node), ...asEvent() }
    make(node, space, {
      what: `expire ${key}`,
      call: (asking) => touching(asking, [space.names.key(key)], () => space.of(node).expire(key, options)),
      settled: arrived(options, space.names.key(key), 'expire'),
      mayReject: early(options),
    })
  }
  const invalidateTags: Act = (node, space) => {
    const options = { keepStale: plan.hit(0.3), ...limits(node), ...asEvent() }
    const tag = plan.pick(TAGS)
    make(node, space, {
      what: `invalidateTags ${tag}${options.keepStale ? ', kept stale' : ''}`,
      call: (asking) => touching(asking, [space.names.generation], () => space.of(node).invalidateTags([tag], options)),
      settled: arrived(options, space.names.tag(tag), options.keepStale ? 'version.soften' : 'delete'),
      mayReject: early(options),
    })
  }
  const clear: Act = (node, space) => {
    const options = { ...limits(node), ...asEvent() }
    make(node, space, {
      what: 'clear',
      call: (asking) => {
        // `clear` empties the near tier.
        const all = spaces.map(({ names }) => names.generation)
        return touching(asking, all, () => space.of(node).clear(options))
      },
      settled: arrived(options, space.names.generation, 'delete'),
      mayReject: early(options),
    })
  }
  const increment: Act = (node, space) => {
    const options = { ttl: 60_000, ...limits(node) }
    const by = 1 + plan.below(3)
    make(node, space, {
      what: `increment ${COUNTER} by ${by}`,
      call: () => space.of(node).increment(COUNTER, by, options),
      settled: (asking, answer) => {
        heard(asking)
        oracle.acknowledged(asking, space.names.key(COUNTER), ['increment'])
        oracle.counted(asking, COUNTER, Number(answer))
      },
      mayReject: early(options),
    })
  }
  return [
    { weight: 3, act: storeAction(stage, calls, 'set') },
    { weight: 2, act: storeAction(stage, calls, 'add') },
    { weight: 2, act: take },
    { weight: 1, act: touch },
    { weight: 4, act: (node, space, key) => remove(node, space, key, { ...limits(node), ...asEvent() }) },
    { weight: 2, act: expire, ofEntries: true },
    { weight: 4, act: invalidateTags, ofEntries: true },
    { weight: 1, act: clear, ofEntries: true },
    { weight: 2, act: increment },
    { weight: 1, act: (node, space) => remove(node, space, COUNTER, {}) },
  ]
}

/** A set or an add; by chance, with versions that were captured before the value was read. */
function storeAction(stage: Stage, calls: Calls, verb: 'set' | 'add'): Act {
  const { world, oracle, chances, scenario } = stage
  const { plan } = chances
  const { plain, ttl } = scenario
  const { make, touching, limits, asEvent, early, heard, readSoon, isDropped, someTags } = calls
  return (node, space, key) => {
    const options: Record<string, unknown> = limits(node)
    if (plan.hit(0.4)) options.ttl = plan.pick([50, 300, 5000])
    if (plan.hit(0.3) && !plain) options.grace = plan.pick([0, 2000])
    const tags = someTags()
    const captures = plan.hit(0.3) && !plain
    if (verb === 'set') Object.assign(options, asEvent())
    const pause = plan.about(30)
    const id = stage.nextId()
    let capturedAt: number | undefined
    const call = async (asking: Asking): Promise<unknown> => {
      let taken: unknown = tags
      if (captures) {
        taken = await space.of(node).capture(tags)
        capturedAt = world.tick()
        await world.sleep(pause, node.machine)
      }
      oracle.writing(id, asking, key, tags, capturedAt)
      return space.of(node)[verb](key, { key, id }, plain ? options : { ...options, tags: taken as [] })
    }
    const how = `${captures ? ', captured' : ''} [${tags}]${options.onWriteFailure ? ', or an event' : ''}`
    make(node, space, {
      what: `${verb} ${key} = #${id}${how}`,
      call: (asking) => touching(asking, [space.names.key(key)], () => call(asking), id),
      settled: (asking, answer) => {
        if (isDropped(asking, options)) {
          oracle.dropped(asking, key, id, tags, capturedAt, Number(options.ttl ?? ttl))
          readSoon(node, space, key)
          return
        }
        heard(asking)
        if (verb === 'set' || answer) oracle.acknowledged(asking, space.names.key(key), [verb])
      },
      mayReject: early(options),
    })
  }
}
