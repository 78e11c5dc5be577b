/** How much of something may be held at a time. */
export interface Budget {
  readonly held: number
  /** Adds to what is held, unless that would be past the bound: then it returns false and adds nothing. */
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
