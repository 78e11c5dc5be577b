/**
 * The number that random histories start from. It changes every day and is printed by each run; HITHER_SEED sets it to
 * that of an earlier run.
 */
export function seedOfTheDay(): number {
  return Number(process.env.HITHER_SEED ?? Math.floor(Date.now() / 86_400_000))
}
