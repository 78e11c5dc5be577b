/** Counts an amount that is held, up to a bound. */
export interface Budget {
  readonly held: number
  /** Adds to the amount held. If that would exceed the bound, returns false and adds nothing. */
  take(amount: number): boolean
  give(amount: number): void
}

export function createBudget(most: number): Budget {
  let held = 0
  return {
    get held() {
      return held
    },
    take(amount) {
      if (held + amount > most) return false
      held += amount
      return true
    },
    give(amount) {
      held -= amount
    },
  }
}
