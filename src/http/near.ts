import type { NearHost, NearPart, NearTier } from '../near/index.ts'
import { randomId } from '../runtime/random.ts'
import { isOutage } from '../store/outage.ts'
import type { AtomicStore } from '../store/store.ts'
import { endVersion, invalidateUrl } from './operations.ts'

export interface NearOptions extends Pick<NearHost, 'run' | 'track'> {
  readonly store: AtomicStore
  readonly space: string
}

/** Attaches a near tier, so that what this process keeps is dropped with what the store has. */
export function attachNear(tier: NearTier, { store, space, run, track }: NearOptions): NearPart {
  return tier.attach({
    plain: false,
    namespace: space,
    publish: store.publish?.bind(store),
    subscribe: store.subscribe?.bind(store),
    run,
    get: (key) => store.get(key),
    delete: (key) => store.delete([key]),
    end: async () => undefined,
    // Either may run again at any moment: what is fetched after it is stored all the same.
    async remove(key, _, isDue) {
      if (!isDue()) return false
      await (key.startsWith(':') ? run(endVersion, key, [randomId()]) : run(invalidateUrl, key, []))
      return true
    },
    isOutage,
    forget() {},
    onGap() {},
    track,
  })
}
