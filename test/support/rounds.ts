/**
 * How long the long tests are. `npm test` plays a share of them; `npm run test:soak` sets HITHER_SOAK=1, runs every file
 * that imports this one, and plays them in full.
 */
const soaking = process.env.HITHER_SOAK === '1'

/** The number of rounds to play: `quick` in `npm test`, `soak` in `npm run test:soak`. */
export function rounds({ quick, soak }: { readonly quick: number; readonly soak: number }): number {
  return soaking ? soak : quick
}
