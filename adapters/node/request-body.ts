import type { IncomingMessage } from 'node:http'
import type { GatewayBody } from 'hither/gateway'

/** How long the rest of a refused body is read and dropped, in milliseconds, so that its sender gets the response. */
const DISCARD_MS = 2000

let turn: Promise<undefined> | undefined
/** Requests that arrive in one turn of the event loop continue together, so that their commands share a write to Redis. */
function nextTurn(): Promise<undefined> {
  turn ??= new Promise((resolve) => {
    setImmediate(() => {
      turn = undefined
      resolve(undefined)
    })
  })
  return turn
}

/** The body of a request. It reads nothing before the first `next`. `cancel` leaves the connection open for the response. */
export function toBody(incoming: IncomingMessage): GatewayBody {
  let cancelled = false
  let wake = (): void => {}
  return {
    next: () =>
      new Promise((resolve, reject) => {
        wake = (): void => {
          const chunk: Buffer | null = cancelled ? null : incoming.read()
          const ended = cancelled || incoming.readableEnded || incoming.destroyed
          if (chunk === null && !ended) return
          incoming.off('readable', wake).off('end', wake).off('close', wake)
          if (chunk !== null) resolve(chunk)
          else if (incoming.complete && !cancelled) resolve(nextTurn())
          else reject(new Error('the body ended early'))
        }
        incoming.on('readable', wake).on('end', wake).on('close', wake)
        wake()
      }),
    async cancel() {
      cancelled = true
      wake()
    },
  }
}

/** Reads and drops the rest of a body, for up to `DISCARD_MS`. */
export function discard(incoming: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, DISCARD_MS)
    const end = (): void => {
      clearTimeout(timer)
      resolve()
    }
    if (incoming.complete || incoming.destroyed) return end()
    incoming.on('end', end).on('close', end).on('error', end).resume()
  })
}
