import type { Lease } from '../model.ts'

/** In place of leases: nothing in the store shows that a load runs, so loads are shared within this process only. */
export const noLeases: Lease = {
  guardsFills: false,
  acquire: async () => undefined,
  renew: () => () => {},
  release: async () => {},
}
