import { now } from '../runtime/clock.ts'
import type { Answer } from './answer.ts'
import { type Permits, unlimited } from './permits.ts'
import type { CallsToCome, Planner } from './plan-batch.ts'
import type { Request } from './request.ts'
import type { Resend } from './resend.ts'
import type { PendingCall } from './tick.ts'
import type { SendEach, Transport, Wire } from './transport.ts'

const ALONE_BYTES = 65_536

export interface SenderParts {
  readonly transport: Transport
  readonly sendEach: SendEach | undefined
  /** The transport keeps the order of requests made one after another. */
  readonly ordered: boolean
  readonly planner: Planner
  readonly answer: Answer
  readonly resend: Resend
  /** Bounds the requests under way. @default no bound */
  readonly permits: Permits | undefined
}

/** Sends the calls of a tick, and again those that may be. Calls `done` when there is nothing more to send. Never throws. */
export type SendCalls = (calls: readonly PendingCall[], done: () => void) => void

/**
 * The way of a tick: without a free permit it waits, together with other ticks. `sendTick` then sends it as one request if it is
 * simple; otherwise it sends some calls alone and the rest with `sendInOrder`. That waits for a permit for each batch, which
 * `sendNext` plans and `exchange` sends. `exchange` settles the calls with their replies, and passes on those to send again.
 */
export function createSender(parts: SenderParts): SendCalls {
  const { transport, sendEach, ordered, planner, answer, resend, permits = unlimited } = parts
  /** Sends requests together, and calls `done` with the calls that must be sent again. */
  const exchange = (requests: readonly Request[], done: (again: PendingCall[]) => void): void => {
    const [first, second] = requests as [Request, Request?]
    const call = callOf(requests)
    permits.take()
    if (second && sendEach) {
      const again: PendingCall[][] = []
      let left = requests.length
      const end = (at: number, calls: PendingCall[]): void => {
        if (calls[0]) again[at] = calls
        if (--left > 0) return
        permits.give()
        done(again.flat())
      }
      sendEach(
        requests,
        call,
        (at, reply) => end(at, answer(requests[at] as Request, reply)),
        (at, error) => void resend.settleOrKeep((requests[at] as Request).calls, error).then((calls) => end(at, calls)),
      )
      return
    }
    const fail = (error: unknown): void => {
      permits.give()
      const calls = second ? requests.flatMap((request) => request.calls) : first.calls
      void resend.settleOrKeep(calls, error).then(done)
    }
    if (!second) {
      transport.send(first, call).then((reply) => {
        permits.give()
        done(answer(first, reply))
      }, fail)
    } else {
      transport.sendMany(requests, call).then((replies) => {
        permits.give()
        done(requests.flatMap((request, i) => answer(request, replies[i] as Wire)))
      }, fail)
    }
  }

  /** Sends all of `queue` in batches. Each waits for the end of the one before, unless the transport keeps their order itself. */
  const sendInOrder = (queue: PendingCall[], toCome: CallsToCome, done: () => void): void => {
    if (queue[0]) permits.enter(() => sendNext(queue, toCome, done))
    else done()
  }
  const sendNext = (queue: PendingCall[], toCome: CallsToCome, done: () => void): void => {
    let requests: Request[] = []
    while (queue[0] && !requests[0]) requests = planner.planBatch(queue, toCome)
    if (!requests[0]) done()
    else if (ordered && queue[0]) {
      const end = afterAll(2, done)
      exchange(requests, (again) => sendInOrder(again, toCome, end))
      sendInOrder(queue, toCome, end)
    } else exchange(requests, (again) => sendInOrder(again[0] ? [...again, ...queue] : queue, toCome, done))
  }

  /** Sends a call alone if it would delay the others, or they would delay it. Sends the rest in call order. */
  const sendTick: SendCalls = (calls, done) => {
    const simple = planner.planSimple(calls)
    if (simple) return exchange([simple], (again) => sendInOrder(again, undefined, done))
    const at = now()
    const soon = at + (latest(calls) - at) / 2
    const mustGoAlone = (call: PendingCall): boolean =>
      !ordered && (call.bytes || call.size > ALONE_BYTES || call.deadline < soon)
    if (!calls[1] || !calls.some((call) => call.script || mustGoAlone(call))) {
      return sendInOrder([...calls], undefined, done)
    }
    const toCome = new Map<string, number>()
    for (const { keys } of calls) for (const key of keys) toCome.set(key, (toCome.get(key) ?? 0) + 1)
    const alone: PendingCall[] = []
    const rest: PendingCall[] = []
    for (const call of calls) {
      // Calls on one key keep their order, so a call goes alone only if its keys have no other call.
      const isAlone = mustGoAlone(call) && call.keys.every((key) => toCome.get(key) === 1)
      ;(isAlone ? alone : rest).push(call)
    }
    const end = afterAll(alone.length + 1, done)
    for (const call of alone) sendInOrder([call], toCome, end)
    sendInOrder(rest, toCome, end)
  }

  /** Ticks that wait for a permit. They are then sent as one. */
  let together: { readonly calls: PendingCall[]; readonly ends: (() => void)[] } | undefined
  return (calls, done) => {
    if (!permits.isSpent()) return sendTick(calls, done)
    if (together) {
      for (const call of calls) together.calls.push(call)
      together.ends.push(done)
      return
    }
    const own = { calls: [...calls], ends: [done] }
    together = own
    permits.enter(() => {
      together = undefined
      sendTick(own.calls, () => {
        for (const end of own.ends) end()
      })
    })
  }
}

/** The limits of a batch: the latest deadline of its calls. It is patient only if all of them are. */
function callOf(requests: readonly Request[]): { deadline: number; bytes: boolean; patient: boolean } {
  const [{ calls }, second] = requests as [Request, Request?]
  const [first, other] = calls as [PendingCall, PendingCall?]
  if (!second && !other) return first
  let deadline = 0
  let patient = true
  for (const { calls } of requests) {
    for (const call of calls) {
      if (call.deadline > deadline) deadline = call.deadline
      patient &&= call.patient
    }
  }
  return { deadline, bytes: first.bytes, patient }
}

function latest(calls: readonly PendingCall[]): number {
  return calls.reduce((max, { deadline }) => Math.max(max, deadline), 0)
}

/** A function that calls `done` when it is called for the `times`-th time. */
function afterAll(times: number, done: () => void): () => void {
  let left = times
  return () => {
    if (--left === 0) done()
  }
}
