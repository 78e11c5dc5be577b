/** How often a test repeats: `soak` times where `HITHER_SOAK` is set, `quick` times otherwise. */
export function rounds(counts: { readonly quick: number; readonly soak: number }): number {
  return process.env.HITHER_SOAK ? counts.soak : counts.quick
}
