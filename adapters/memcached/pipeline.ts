import type { HitherError } from '../../src/errors.ts'
import { NEVER } from '../../src/runtime/clock.ts'
import { random } from '../../src/runtime/random.ts'
import { answer, fail, refuse } from './calls.ts'
import { createEncoder, nextOpaque } from './encoder.ts'
import type { Reply } from './replies.ts'
import { lost, outOfStep, type Request, timedOut, unauthorized } from './request.ts'

/**
 * The requests of one connection, unsent and sent. They are written in the order in which they were added, and the server
 * replies in that order. A reply that does not name its request shows that the two sides are out of step.
 *
 * No object here, in the connection or in the link has a getter: V8 would then look up each of its properties by hash.
 */
export interface Pipeline {
  /** Requests without a reply. */
  size(): number
  isAwaited(): boolean
  add(request: Request): void
  /** Returns the bytes to write next; empty: none. Requests past their deadlines fail and are left out. */
  take(at: number): readonly Uint8Array[]
  /** The request that the next reply is for. */
  awaited(): Request | undefined
  onReply(reply: Reply): void
  /** Gives a line that is no reply to the awaited request. Returns an error if nothing after the line can be trusted. */
  onLine(line: string): HitherError | undefined
  /** Fails requests past their deadlines. Returns the next deadline. */
  expire(at: number): number
  /** Fails all requests. `isUnread`: the server has read none of them. */
  end(error: HitherError, isUnread: boolean): void
}

/** Replied requests whose places in the array are kept before they are cut off. */
const MAX_ANSWERED = 4096

export function createPipeline(): Pipeline {
  const encoder = createEncoder()
  /** Replied requests (undefined) up to `head`, then sent ones up to `unsent`, then those still to be written. */
  let requests: (Request | undefined)[] = []
  let head = 0
  let unsent = 0
  // Starts at random, so that it differs from the connection before: a proxy may hold a reply for longer than that lasted.
  let opaque = 100_000 + Math.floor(random() * 900_000)

  const cutOff = (): void => {
    requests = requests.slice(head)
    unsent -= head
    head = 0
  }
  const awaited = (): Request | undefined => (head < unsent ? requests[head] : undefined)
  /** Removes and returns the request that the next reply is for. */
  const next = (): Request => {
    const request = requests[head] as Request
    requests[head++] = undefined
    if (head === requests.length || head === MAX_ANSWERED) cutOff()
    return request
  }
  return {
    size: () => requests.length - head,
    isAwaited: () => unsent > head,
    add: (request) => void requests.push(request),
    take(at) {
      for (let i = unsent; i < requests.length; i++) {
        const request = requests[i] as Request
        const { place, command, limits, isOver } = request
        if (isOver) continue
        if (limits.deadline <= at) {
          fail(request, timedOut(request.mayHaveRun))
          continue
        }
        opaque = request.opaque = nextOpaque(opaque)
        request.isSent = true
        request.mayHaveRun ||= command.effect !== 'read'
        encoder.add(command, place, opaque)
        requests[unsent++] = request
      }
      requests.length = unsent
      return encoder.take()
    },
    awaited,
    onReply: (reply) => answer(next(), reply),
    onLine(line) {
      if (!awaited() || !/^\w*ERROR\b/.test(line)) return outOfStep()
      refuse(next(), line)
      return doubtOf(line)
    },
    expire(at) {
      let earliest = NEVER
      for (const request of requests.slice(head) as Request[]) {
        if (request.isOver) continue
        const { deadline } = request.limits
        if (deadline <= at) fail(request, timedOut(request.mayHaveRun))
        else if (deadline < earliest) earliest = deadline
      }
      return earliest
    },
    end(error, isUnread) {
      const left = requests.slice(head) as Request[]
      requests = []
      head = unsent = 0
      for (const request of left) {
        if (isUnread && request.attempts === 0) request.mayHaveRun = false
        if (!request.isOver) fail(request, lost(request, error))
      }
    },
  }
}

/** A line that the server did not understand may have been cut elsewhere than meant. Then nothing after it can be trusted. */
function doubtOf(line: string): HitherError | undefined {
  if (line.includes('unauthenticated')) return unauthorized()
  return /^SERVER_|non-numeric/.test(line) ? undefined : outOfStep()
}
