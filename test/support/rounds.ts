/**
 * How many rounds the long tests play. `npm test` plays a small number. `npm run soak` runs every file that imports this one, and
 * plays the full number; with HITHER_SOAK_SHARE=0.05 it plays that share of it, and never less than `npm test`.
 */
const { HITHER_SOAK, HITHER_SOAK_SHARE } = process.env
const share = HITHER_SOAK_SHARE ? Number(HITHER_SOAK_SHARE) : 1
if (!(share > 0 && share <= 1)) throw new Error('HITHER_SOAK_SHARE is a number above 0, and 1 at most')

/** Whether this is `npm run soak`, or a share of it. */
export const isSoak: boolean = HITHER_SOAK === '1'

/** The number of rounds to play: `quick` in `npm test`, `soak` in `npm run soak`, and a multiple of `quick` in a share of it. */
export function rounds({ quick, soak }: { readonly quick: number; readonly soak: number }): number {
  if (!isSoak) return quick
  if (share === 1) return soak
  return quick < soak ? quick * Math.max(1, Math.floor((soak * share) / quick)) : quick
}
