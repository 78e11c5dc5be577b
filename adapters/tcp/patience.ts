import { firedAt, NEVER, now, setDeadline, setQuietTimer } from '../../src/runtime/clock.ts'
import { fault, timedOut } from './errors.ts'
import type { Entry, Wiring } from './wiring.ts'

const LOOK_AGAIN_MS = 20

/** Has the deadlines checked at `at`, unless an earlier check is due. One timer serves all entries of a connection. */
export function arm(on: Wiring, at: number, nowMs: number = now()): void {
  if (at >= on.due) return
  on.cancelSweep?.()
  on.due = at
  on.cancelSweep = setDeadline(() => sweep(on), at - nowMs, 0, setQuietTimer)
}

/** Rejects entries at their deadlines, and ends the connection if it was silent for too long. */
function sweep(on: Wiring): void {
  const { sent, unsent, role, settings } = on
  const at = firedAt(on.due)
  on.due = NEVER
  on.heardAt = Math.min(on.heardAt, at)
  let next = NEVER
  for (const queue of [sent, unsent]) {
    for (const entry of queue) {
      if (entry.over) continue
      if (entry.deadline <= at) settle(on, entry, timedOut(entry.sent))
      else if (entry.deadline < next) next = entry.deadline
    }
  }
  if (sent.size() > 0 && !role.patient) {
    let silentAt = on.heardAt + settings.linkTimeoutMs
    if (silentAt <= at) {
      // If this process was blocked, it may not have read yet what has arrived meanwhile: check once more before giving up.
      if (on.doubtedAt === on.heardAt) {
        on.end(fault('STORE_UNAVAILABLE', `no reply for ${settings.linkTimeoutMs} ms`))
        return
      }
      on.doubtedAt = on.heardAt
      silentAt = at + LOOK_AGAIN_MS
    }
    if (silentAt < next) next = silentAt
  }
  arm(on, next, at)
}

/** Rejects an entry whose caller no longer waits. If it was written, it stays in `sent`, since its replies will still come. */
export function settle(on: Wiring, entry: Entry, error: unknown): void {
  const { unsent } = on
  entry.over = true
  entry.end?.()
  if (entry.replies) entry.replies.length = 0
  entry.reject(error)
  if (entry.sent || ++on.deserted * 2 < unsent.size()) return
  unsent.keep((each) => {
    if (each.over) on.load -= each.commands.length
    return !each.over
  })
  on.deserted = 0
}
