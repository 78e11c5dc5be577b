/** What the simulation knows of its nodes, calls and values: the words that the parts of the oracle share. */

/** Where a namespace keeps what. */
export interface Names {
  readonly namespace: string
  readonly generation: string
  key(key: string): string
  tag(tag: string): string
}

/** One way a value has come to be. What ends a value ends each birth that came before. */
export interface Birth {
  /** For what is done to its key. */
  readonly atKey: number
  /** For what is done to its tags and its namespace. */
  readonly atTags: number
  readonly tags: readonly string[]
  /** Tags its loader named at its end: who joined the load was not to know. */
  readonly late: readonly string[]
  /** The virtual instant of its load's beginning. */
  readonly time: number
}

export interface Value {
  readonly key: string
  readonly births: Birth[]
  /** By a loader. */
  readonly loaded: boolean
  /** When the call began that made it. */
  readonly from: number
  readonly node: string
  /** A load that may have run without a lease, since the store did not answer. */
  leaseless: boolean
  /** When a caller of its load was answered: before, others may have joined it. */
  ended: number
  /** When the store last took it: in history, and on the virtual clock. */
  storedAt: number
  storedMs: number
  /** When its life ends in the store. */
  endsMs: number
  sentAt: number
  /** A load whose plain value may reach the store at any later moment. */
  lost: boolean
  /** Its node alone gives it out, since the store did not take it. */
  kept: boolean
  acknowledged: boolean
  /** It was removed though it was written after the delete that was made good. */
  removed: boolean
  writes: number
  taken: number
  /** Why the store may not have it. */
  readonly unstored: string | undefined
}

/** Something that ended what was there before. */
export interface Barrier {
  readonly at: number
  /** On the virtual clock. */
  readonly time: number
  readonly what: string
  /** The value that was written by it. */
  readonly writes: number | undefined
  /** What was there may still be served stale. */
  readonly soft: boolean
  readonly from: string
  /** When its node was told that it was done. */
  acknowledged: number
}

/** A call of one node that is under way. */
export interface Asking {
  readonly node: string
  readonly names: Names
  /** Its place in history. */
  readonly from: number
  /** When it began, on the virtual clock. */
  readonly since: number
  /** The node's count of failed store calls then. */
  readonly failures: number
  /** When the store had last answered one of its calls. */
  readonly heardAt: number
  /** The node's count of clock jumps then. */
  readonly jumps: number
  /** By the node's clock. */
  readonly clockMs: number
  /** Since when on the virtual clock the log of changes may have changed unread; 0: it is not certain to tell everything. */
  readonly pulledMs: number
}

/** What a node has lived through. */
export interface Life {
  failures: number
  /** Its breaker asks no more. */
  open: boolean
  /** How long it may not hear of what another node has ended, in milliseconds; 0: it asks the store each time. */
  readonly lateMs: number
  /** When the store last answered a call of this node. */
  heardAt: number
  jumps: number
  /** What its near tier bounds staleness by, in milliseconds; 0: it has none. */
  readonly maxAgeMs: number
  /** Nothing but its own doing drops what its near tier keeps. */
  readonly feedless: boolean
  pulledMs: number
  now(): number
  /** Whether it lives, and has not stood still for this long. */
  isUp(ms: number): boolean
}

/** The number of a value, as its payload carries it. */
export function idOf(value: unknown): number | undefined {
  const id = (value as { id?: unknown } | undefined | null)?.id
  return typeof id === 'number' ? id : undefined
}

/** Whether the store has failed a node since a call began. */
export function hasFailed({ failures, open }: Life, asking: Asking): boolean {
  return open || failures > asking.failures
}
