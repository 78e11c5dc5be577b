/** What the simulation knows of its nodes, calls and values: the words that the parts of the oracle share. */

/** The stored keys of a namespace. */
export interface Names {
  readonly namespace: string
  readonly generation: string
  key(key: string): string
  tag(tag: string): string
}

/** One time that a value came into being: a load, or a write. A barrier ends every earlier birth. */
export interface Birth {
  /** Moment of history that counts against barriers of the key. */
  readonly atKey: number
  /** Moment of history that counts against barriers of the tags and the namespace. */
  readonly atTags: number
  readonly tags: readonly string[]
  /** Tags that the loader named at its end, which callers that joined the load could not know. */
  readonly late: readonly string[]
  /** When the load began, on the virtual clock. */
  readonly time: number
}

export interface Value {
  readonly key: string
  readonly births: Birth[]
  /** Whether a loader made it. */
  readonly loaded: boolean
  /** When the call that made it began, in history. */
  readonly from: number
  readonly node: string
  /** The load may have run without a lease, since the store did not reply. */
  leaseless: boolean
  /** When the load resolved for a caller: until then, other callers may have joined it. */
  ended: number
  /** When the store last took it: `storedAt` in history, `storedMs` on the virtual clock. */
  storedAt: number
  storedMs: number
  /** End of its lifetime in the store. */
  endsMs: number
  sentAt: number
  /** The plain value of a load may reach the store at any later moment. */
  lost: boolean
  /** Only its node serves it, since the store did not take it. */
  kept: boolean
  acknowledged: boolean
  /** The retry of a failed delete removed it, although it was written after that delete. */
  removed: boolean
  writes: number
  taken: number
  /** Why the store must not take it. */
  readonly unstored: string | undefined
}

/** An event that ended the value of a key: a write, a delete, an invalidation or an eviction. */
export interface Barrier {
  readonly at: number
  /** On the virtual clock. */
  readonly time: number
  readonly what: string
  /** Number of the value that it wrote. */
  readonly writes: number | undefined
  /** The ended value may still be served stale. */
  readonly soft: boolean
  readonly from: string
  /** When its node got the acknowledgement. */
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
  /** The node's count of failed store calls at that moment. */
  readonly failures: number
  /** When the store last replied to a call of the node. */
  readonly heardAt: number
  /** The node's count of clock jumps at that moment. */
  readonly jumps: number
  /** By the node's clock. */
  readonly clockMs: number
  /** When the node last read the log of changes, on the virtual clock; 0: the log may be incomplete. */
  readonly pulledMs: number
}

/** The state of a node that the oracle judges by. */
export interface Life {
  failures: number
  /** Its breaker is open. */
  open: boolean
  /** Longest delay until the node learns of a barrier of another node, in milliseconds; 0: it reads the store each time. */
  readonly lateMs: number
  /** When the store last replied to a call of this node. */
  heardAt: number
  jumps: number
  /** `maxAge` of its near tier, in milliseconds; 0: no near tier. */
  readonly maxAgeMs: number
  /** Only its own calls drop entries from its near tier: there is no feed. */
  readonly feedless: boolean
  pulledMs: number
  now(): number
  /** Whether it is alive and was not paused during the last `ms` milliseconds. */
  isUp(ms: number): boolean
}

/** Returns the number in a value. */
export function idOf(value: unknown): number | undefined {
  const id = (value as { id?: unknown } | undefined | null)?.id
  return typeof id === 'number' ? id : undefined
}

/** Whether the store has failed a node since a call began. */
export function hasFailed({ failures, open }: Life, asking: Asking): boolean {
  return open || failures > asking.failures
}
