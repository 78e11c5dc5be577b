import type { HitherError } from '../../src/errors.ts'
import { NEVER } from '../../src/runtime/clock.ts'
import { endsWith, lineOf, type Reply } from './replies.ts'
import { fail, late, lost, outOfStep, type Request, unauthorized } from './request.ts'

/**
 * The requests of one connection, unsent and sent. They are written in the order in which they were added, and answered in
 * that order: a reply that does not name its request says that the two sides are out of step.
 */
export interface Pipeline {
  /** Requests without a reply. */
  readonly size: number
  readonly isAwaited: boolean
  add(request: Request): void
  /** What is to be written next; empty: nothing. Strings as UTF-8. */
  take(): readonly (string | Uint8Array)[]
  /** Gives a reply to its request. Returns why nothing after it can be trusted; undefined: it can. */
  onReply(reply: Reply): HitherError | undefined
  /** Fails requests past their deadlines. Returns the next deadline. */
  expire(at: number): number
  /** Fails all requests. */
  end(error: HitherError): void
}

/** Sent requests with a reply that are kept before they are cut off. */
const MAX_ANSWERED = 4096

export function createPipeline(): Pipeline {
  let unsent: Request[] = []
  let sent: Request[] = []
  /** Place in `sent` of the request that is answered next. */
  let head = 0
  return {
    get size() {
      return sent.length - head + unsent.length
    },
    get isAwaited() {
      return sent.length > head
    },
    add: (request) => void unsent.push(request),
    take() {
      const chunks: (string | Uint8Array)[] = []
      let text = ''
      for (const request of unsent) {
        if (request.isOver) continue
        request.isSent = true
        request.mayHaveRun ||= request.writes
        sent.push(request)
        text += request.head
        if (request.body) {
          chunks.push(text, request.body)
          text = '\r\n'
        }
      }
      unsent = []
      if (text) chunks.push(text)
      return chunks
    },
    onReply(reply) {
      const request = sent[head]
      if (!request) return outOfStep()
      const { code } = reply
      const isError = code.endsWith('ERROR')
      if (!isError && !endsWith(reply, request.tail)) return outOfStep()
      head++
      if (head === sent.length || head === MAX_ANSWERED) {
        sent = sent.slice(head)
        head = 0
      }
      if (!request.isOver) {
        request.isOver = true
        request.owner.onReply(request, reply)
      }
      // What the server did not understand it may have read otherwise than it was meant: nothing after it can be trusted.
      if (code === 'ERROR') return outOfStep()
      const line = code === 'CLIENT_ERROR' ? lineOf(reply) : ''
      if (line.includes('unauthenticated')) return unauthorized()
      return line && !line.includes('non-numeric') ? outOfStep() : undefined
    },
    expire(at) {
      let next = NEVER
      for (const request of [...sent.slice(head), ...unsent]) {
        if (request.isOver) continue
        if (request.deadline <= at) fail(request, late(request.mayHaveRun))
        else if (request.deadline < next) next = request.deadline
      }
      return next
    },
    end(error) {
      const left = [...sent.slice(head), ...unsent]
      sent = unsent = []
      head = 0
      for (const request of left) fail(request, lost(request, error))
    },
  }
}
