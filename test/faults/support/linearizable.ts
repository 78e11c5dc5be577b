/** One call in a history of several callers. Numbers order the moments at which calls begin and end. */
export interface Called {
  readonly name: string
  readonly args: readonly unknown[]
  /** Which call it is: a call that may be sent again recognizes what it has written itself. */
  readonly id: number
  readonly start: number
  end: number
  /** What it resolved to. */
  result?: unknown
  /** It rejected, or it may have run a second time: it may take effect at any moment after its start, or never. */
  isUnknown?: boolean
}

/** What one key does. `next` gives the states after the call; none if it cannot have resolved to its result. */
export interface Model<S> {
  readonly initial: S
  next(state: S, call: Called): readonly S[]
}

/** Most states that are visited for one history. Of one with many calls that may have run, there can be far more. */
const MAX_VISITS = 30_000

/**
 * Whether the calls can be put in one order that explains all their results, in which no call comes before one that had ended
 * before it began. A search by depth that remembers what it has visited (Wing and Gong; Lowe). Undefined for a history that it
 * cannot judge within its bound.
 */
export function isLinearizable<S>(history: readonly Called[], { initial, next }: Model<S>): boolean | undefined {
  const calls = history.toSorted((a, b) => a.start - b.start)
  const placed = calls.map(() => false)
  const visited = new Set<string>()
  let open = calls.filter(({ isUnknown }) => !isUnknown).length
  const visit = (state: S): boolean => {
    if (open === 0) return true
    const place = JSON.stringify([placed.map(Number).join(''), state])
    if (visited.has(place)) return false
    // Ends the search.
    if (visited.add(place).size > MAX_VISITS) return true
    const ends = calls.map(({ end, isUnknown }, i) => (placed[i] || isUnknown ? Number.POSITIVE_INFINITY : end))
    const firstEnd = Math.min(...ends)
    const isExplainedBy = (call: Called, i: number): boolean => {
      if (placed[i] || call.start > firstEnd) return false
      return next(state, call).some((after) => {
        // A call that may not have run, and would change nothing, explains nothing.
        if (call.isUnknown && JSON.stringify(after) === JSON.stringify(state)) return false
        placed[i] = true
        if (!call.isUnknown) open--
        const isExplained = visit(after)
        placed[i] = false
        if (!call.isUnknown) open++
        return isExplained
      })
    }
    return (
      calls.some((call, i) => !call.isUnknown && isExplainedBy(call, i)) ||
      calls.some((call, i) => call.isUnknown && isExplainedBy(call, i))
    )
  }
  const isExplained = visit(initial)
  return visited.size > MAX_VISITS ? undefined : isExplained
}

/** The history as text, a line for each call. */
export function describeHistory(history: readonly Called[]): string {
  return history
    .toSorted((a, b) => a.start - b.start)
    .map(({ start, end, name, args, result, isUnknown }) => {
      const outcome = isUnknown ? 'may have run' : `→ ${JSON.stringify(result)}`
      return `${start}–${isUnknown ? '' : end} ${name}(${JSON.stringify(args).slice(1, -1)}) ${outcome}`
    })
    .join('\n')
}
