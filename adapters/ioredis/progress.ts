export interface CommandOptions {
  readonly deadline?: number
  /** A transaction: it goes as a whole, or not at all. */
  atomic?: boolean
}

/** One call: whether anything was written for it, and whether its caller has been answered. */
export interface Progress extends CommandOptions {
  sent: boolean
  over: boolean
  readonly deadline: number
}
