import { invalid } from '../protocol/arguments.ts'
import type { MigrateResult, NotMovedReason } from './types.ts'

export interface Counts {
  copied: number
  bytes: number
  gone: number
  kept: number
  notMoved: Partial<Record<NotMovedReason, { count: number; keys: string[] }>>
}

/** How far a run has come. */
export interface Saved {
  /** Which stores and keys the run copies. A state is valid only for the same run. */
  readonly of: string
  /** The server that made the cursor. */
  readonly server: string | undefined
  readonly cursor: string
  /** Keys that may have been copied in part. */
  readonly pending: readonly string[]
  readonly counts: Counts
}

/** Most key names that are kept for each reason. */
const MAX_NAMES = 100

export const noCounts = (): Counts => ({ copied: 0, bytes: 0, gone: 0, kept: 0, notMoved: {} })

export function countNotMoved({ notMoved }: Counts, reason: NotMovedReason, key: string): void {
  const entry = notMoved[reason] ?? { count: 0, keys: [] }
  notMoved[reason] = entry
  entry.count++
  if (entry.keys.length < MAX_NAMES) entry.keys.push(key)
}

export const sumOf = ({ notMoved }: Counts): number =>
  Object.values(notMoved).reduce((sum, { count }) => sum + count, 0)

export function resultOf({ notMoved, ...counts }: Counts): MigrateResult {
  const reasons = Object.entries(notMoved) as [NotMovedReason, { count: number; keys: string[] }][]
  return { ...counts, notMoved: reasons.map(([reason, { count, keys }]) => ({ reason, count, keys: [...keys] })) }
}

export const writeState = (saved: Saved): string => JSON.stringify({ form: 1, ...saved })

/** Throws `INVALID_ARGUMENT` if the text is not a state, or is that of another run. */
export function readState(text: string | undefined, of: string): Saved | undefined {
  if (text === undefined) return undefined
  let saved: (Saved & { form: number }) | undefined
  try {
    saved = JSON.parse(text)
  } catch {
    // The check below throws.
  }
  const isState =
    saved?.form === 1 && typeof saved.cursor === 'string' && Array.isArray(saved.pending) && !!saved.counts?.notMoved
  if (!isState) throw invalid('the state of the run cannot be read: remove it to begin anew')
  if (saved?.of !== of) throw invalid('the state is that of another run: remove it to begin anew, or name another')
  return saved
}
