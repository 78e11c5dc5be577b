/**
 * The seed of the random histories. It changes every day, and each run prints it; HITHER_SEED sets it, to repeat an earlier run.
 */
export function seedOfTheDay(): number {
  return Number(process.env.HITHER_SEED ?? Math.floor(Date.now() / 86_400_000))
}
