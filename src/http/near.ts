import type { NearHost, NearPart, NearTier } from '../near/index.ts'
import { randomId } from '../runtime/random.ts'
import { isOutage } from '../store/outage.ts'
import type { AtomicStore } from '../store/store.ts'
import { endVersion, invalidateUrl } from './operations.ts'

export interface NearOptions extends Pick<NearHost, 'run' | 'track'> {
  readonly store: AtomicStore
  readonly space: string
}

/** Attaches a near tier, so that its entries are dropped together with those in the store. */
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
    // Either operation may be repeated at any later moment: it drops what is stored by then, and later responses are stored.
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
