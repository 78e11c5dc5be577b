import { isHitherError, StoreRejectedError } from '../errors.ts'
import { type GatewayAnswer, json } from './messages.ts'

/** The response to a request of which nothing ran. `message` has none of the request's values. */
export class Refusal extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

/** The response to a request that failed. It invites the client to send the request again only if nothing ran. */
export function answerToError(error: unknown): GatewayAnswer {
  if (error instanceof Refusal) {
    return json(error.status, { error: error.message }, error.status === 503 ? { 'retry-after': '1' } : {})
  }
  if (error instanceof StoreRejectedError) {
    const { command, reply } = error
    if (reply === 'TOOLARGE') return json(400, { error: 'TOOLARGE the transaction ran, its replies were not kept' })
    return json(400, { error: `EXECABORT Transaction discarded because of previous errors: ${command}: ${reply}` })
  }
  const known = isHitherError(error)
  const text = `ERR upstream ${known ? error.code : 'INTERNAL'}: no answer from Redis`
  if (!known || error.maybeExecuted) return json(503, { error: `${text}, the command may have run` })
  return json(503, { error: `${text}, nothing ran` }, { 'retry-after': '1' })
}
