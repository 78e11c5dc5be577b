import type { HitherError } from '../../src/errors.ts'
import { NEVER } from '../../src/runtime/clock.ts'
import { random } from '../../src/runtime/random.ts'
import { answer, fail, refuse } from './calls.ts'
import { createEncoder, nextOpaque } from './encoder.ts'
import type { Reply } from './replies.ts'
import { late, lost, outOfStep, type Request, unauthorized } from './request.ts'

/**
 * Here as in its connection and link no object has a getter: V8 would look each of its properties up by hash.
 *
 * The requests of one connection, unsent and sent. They are written in the order in which they were added, and answered in
 * that order: a reply that does not name its request says that the two sides are out of step.
 */
export interface Pipeline {
  /** Requests without a reply. */
  size(): number
  isAwaited(): boolean
  add(request: Request): void
  /** What is to be written next; empty: nothing. Requests past their deadlines fail and are left out. */
  take(at: number): readonly Uint8Array[]
  /** The request that is answered next. */
  awaited(): Request | undefined
  onReply(reply: Reply): void
  /** Gives a line that is no reply to the request that is answered next. Returns why nothing after it can be trusted. */
  onLine(line: string): HitherError | undefined
  /** Fails requests past their deadlines. Returns the next deadline. */
  expire(at: number): number
  /** Fails all requests. */
  end(error: HitherError): void
}

/** Requests with a reply whose places are kept before they are cut off. */
const MAX_ANSWERED = 4096

export function createPipeline(): Pipeline {
  const encoder = createEncoder()
  /** Answered ones (undefined) up to `head`, then sent ones up to `unsent`, then those to be written. */
  let requests: (Request | undefined)[] = []
  let head = 0
  let unsent = 0
  // Not the numbers of the connection before it: a proxy may keep a reply for longer than a connection lasts.
  let opaque = 100_000 + Math.floor(random() * 900_000)

  const cutOff = (): void => {
    requests = requests.slice(head)
    unsent -= head
    head = 0
  }
  const awaited = (): Request | undefined => (head < unsent ? requests[head] : undefined)
  /** Takes out the one that is answered next. */
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
          fail(request, late(request.mayHaveRun))
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
        if (deadline <= at) fail(request, late(request.mayHaveRun))
        else if (deadline < earliest) earliest = deadline
      }
      return earliest
    },
    end(error) {
      const left = requests.slice(head) as Request[]
      requests = []
      head = unsent = 0
      for (const request of left) if (!request.isOver) fail(request, lost(request, error))
    },
  }
}

/** What the server did not understand it may have read otherwise than it was meant: nothing after it can be trusted. */
function doubtOf(line: string): HitherError | undefined {
  if (line.includes('unauthenticated')) return unauthorized()
  return /^SERVER_|non-numeric/.test(line) ? undefined : outOfStep()
}
