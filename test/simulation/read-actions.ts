import type { Act, Action } from './actions.ts'
import type { Calls } from './calls.ts'
import { idOf } from './facts.ts'
import type { Loaders } from './loaders.ts'
import { KEYS, type Stage } from './stage.ts'
import { brief } from './wording.ts'

/** Calls that read, and that read through to a loader. */
export function readActions(stage: Stage, calls: Calls, loaders: Loaders): readonly Action[] {
  const { world, oracle, scenario } = stage
  const { make, touching, early, heard, read, readOptions } = calls
  const { loaderOf, during, loadOptions, mayFail, readThrough } = loaders

  const getOrSet: Act = (node, space, key) => {
    const options = loadOptions(node, false)
    make(node, space, {
      what: `getOrSet ${key} ${brief({ ...options, signal: options.signal && '…' })}`,
      call: (asking) => {
        const call = (): Promise<unknown> =>
          space.of(node).getOrSet(key, loaderOf(node, asking, { key, options, many: false }), options)
        const asksStore = options.forceFresh || options.bypass || options.refresh
        return asksStore ? touching(asking, [space.names.key(key)], call) : call()
      },
      settled: (asking, answer) => readThrough(asking, key, answer, options),
      mayReject: mayFail(key, options),
      survives: true,
    })
  }
  const getOrSetMany: Act = (node, space) => {
    const options = loadOptions(node, true)
    make(node, space, {
      what: `getOrSetMany ${brief({ ...options, signal: options.signal && '…' })}`,
      call: (asking) => {
        const since = world.time
        const whose = KEYS.map((key) => `${node.name} ${asking.names.key(key)}`)
        const loaders = new Map(KEYS.map((key) => [key, loaderOf(node, asking, { key, options, many: true })]))
        const call = (): Promise<unknown> =>
          space.of(node).getOrSetMany(
            KEYS,
            async (keys) => {
              const load = async (key: string) => [key, await loaders.get(key)?.({})] as const
              const found = await during(whose, since, () => Promise.all(keys.map(load)))
              return new Map(found.filter(([, value]) => value !== undefined))
            },
            options,
          )
        // Its loads begin before its loader is called.
        const keys = options.forceFresh ? KEYS.map(asking.names.key) : []
        return during(whose, since, () => touching(asking, keys, call))
      },
      settled: (asking, answer) => {
        for (const key of KEYS) readThrough(asking, key, (answer as Map<string, unknown>).get(key), options)
      },
      mayReject: mayFail(KEYS, options),
      survives: true,
    })
  }
  const get: Act = (node, space, key) => {
    const options = readOptions(node)
    make(node, space, {
      what: `get ${key}`,
      call: () => space.of(node).get(key, options),
      settled: (asking, answer) => read(asking, key, answer),
      mayReject: early(options),
    })
  }
  const getEntry: Act = (node, space, key) => {
    const options = readOptions(node)
    make(node, space, {
      what: `getEntry ${key}`,
      call: () => space.of(node).getEntry(key, options),
      settled: (asking, answer) => {
        const { status, value } = answer as { status: string; value: unknown }
        // A plain entry is always read from the store.
        if (status !== 'stale') return read(asking, key, value, { near: !scenario.plain })
        heard(asking)
        oracle.answered(asking, key, idOf(value), { exact: true, maybeStale: true })
      },
      mayReject: early(options),
    })
  }
  const getMany: Act = (node, space) => {
    const options = readOptions(node)
    make(node, space, {
      what: 'getMany',
      call: () => space.of(node).getMany(KEYS, options),
      settled: (asking, answer) => {
        for (const key of KEYS) read(asking, key, (answer as Map<string, unknown>).get(key))
      },
      mayReject: early(options),
    })
  }
  return [
    { weight: 14, act: getOrSet },
    { weight: 3, act: getOrSetMany, ofEntries: true },
    { weight: 5, act: get },
    { weight: 2, act: getEntry },
    { weight: 2, act: getMany },
  ]
}
