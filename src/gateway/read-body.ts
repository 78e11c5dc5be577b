import { concat } from '../protocol/bytes.ts'
import { now, setTimer } from '../runtime/clock.ts'
import type { Budget } from './budget.ts'
import type { GatewayRequest } from './messages.ts'
import type { Caps } from './options.ts'
import { Refusal } from './refusal.ts'

/** Reads a body within its caps. The caller gives the body's length back to `held` once the body is no longer needed. */
export async function readBody(request: GatewayRequest, caps: Caps, held: Budget): Promise<Uint8Array> {
  const tooLarge = (): Refusal => new Refusal(413, 'ERR max request size exceeded')
  const { body } = request
  const announced = Number(request.header('content-length') ?? 0)
  if (announced > caps.maxBodyBytes) throw tooLarge()
  if (!body) return new Uint8Array(0)
  if (held.held + announced > caps.maxBufferedBytes) throw full()
  const parts: Uint8Array[] = []
  let size = 0
  let isLate = false
  const end = now() + caps.bodyTimeoutMs
  const cancel = setTimer(() => {
    isLate = true
    void body.cancel()
  }, caps.bodyTimeoutMs)
  try {
    for (;;) {
      const part = await body.next()
      if (isLate || now() > end) throw timedOut()
      if (!part) break
      if (size + part.byteLength > caps.maxBodyBytes) throw tooLarge()
      if (!held.take(part.byteLength)) throw full()
      size += part.byteLength
      parts.push(part)
    }
  } catch (error) {
    held.give(size)
    await body.cancel()
    throw error instanceof Refusal ? error : isLate ? timedOut() : gone()
  } finally {
    cancel()
  }
  return parts.length === 1 ? (parts[0] as Uint8Array) : concat(parts)
}

function full(): Refusal {
  return new Refusal(503, 'ERR the gateway is full, nothing ran')
}

function gone(): Refusal {
  return new Refusal(400, 'ERR the request body ended early')
}

function timedOut(): Refusal {
  return new Refusal(408, 'ERR the request body took too long')
}
