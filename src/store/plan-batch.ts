import type { JoinScripts, Request } from './request.ts'
import type { Script, Scripts } from './scripts.ts'
import type { PendingCall } from './tick.ts'
import type { Transport } from './transport.ts'

/** By key, how many calls of a tick are not planned yet. */
export type CallsToCome = Map<string, number> | undefined

/** Which keys may share a command. */
export interface Placement {
  /** Whether each key needs a separate command. */
  isApart(): boolean
  /** To be called when the server refused a command over several keys: from now on each key has a separate command. */
  separate(): void
  /** Whether the client knows the slots of its Cluster. */
  readonly hasSlots: boolean
  /** A key's hash slot; the same for all keys if there is one node. */
  slotOf(key: string): number
}

export const MAX_COMMANDS = 1000
const MAX_BYTES = 1_000_000

/** `slotOf`: from a client that knows the slots of its Cluster. Without it, the server may turn out to be a node of a Cluster. */
export function createPlacement(transport: Transport, slotOf: ((key: string) => number) | undefined): Placement {
  let apart = false
  return {
    isApart() {
      apart ||= !slotOf && transport.cluster === true
      return apart
    },
    separate() {
      apart = true
    },
    hasSlots: slotOf !== undefined,
    slotOf: slotOf ?? (() => 0),
  }
}

export interface Planner {
  /** Removes from the head of `queue` the calls of one batch. Returns an empty list if all of them had ended already. */
  planBatch(queue: PendingCall[], toCome: CallsToCome): Request[]
  /** The one request of a tick that has a single call, or only reads on one connection. Undefined for any other tick. */
  planSimple(calls: readonly PendingCall[]): Request | undefined
}

/** A batch that is being planned. */
interface Plan {
  readonly requests: Request[]
  /** By slot, the request that later reads may join. Any call that is not a read clears it. */
  openReads: Request[]
  /** By slot, the scripts that an EVAL of this batch loads. Later requests of the slot may run them by digest. */
  readonly loaded: Set<object>[]
}

/** `ordered`: the transport keeps the order of requests made one after another. `join`: joins operations; absent on a Cluster. */
export function createPlanner(
  placement: Placement,
  scripts: Scripts,
  ordered: boolean,
  join: JoinScripts | undefined,
): Planner {
  const { isApart, slotOf } = placement

  /** Adds a read to the open request of its slot, or begins a request. */
  const addRead = ({ requests, openReads }: Plan, call: PendingCall): void => {
    const key = call.keys[0] as string
    const slot = isApart() || call.isApart ? -1 : slotOf(key)
    const open = openReads[slot]
    if (!open || open.calls.length >= MAX_COMMANDS) {
      const request = asItIs(call)
      requests.push(request)
      if (slot >= 0) openReads[slot] = request
      return
    }
    if (open.calls.length === 1) open.args = ['MGET', open.args[1] as string]
    open.args.push(key)
    open.calls.push(call)
  }
  const addScript = (plan: Plan, call: PendingCall, toCome: CallsToCome): void => {
    const script = call.script as Script
    const key = call.keys[0]
    const slot = key === undefined ? 0 : slotOf(key)
    // A script that is sent again after NOSCRIPT runs after the rest of the batch. With a later call on its key that would change
    // their order, so it must not miss.
    const canMiss = !call.sent && !(key !== undefined && toCome?.get(key))
    const last = plan.requests.at(-1)
    if (join && last?.script && !isApart()) {
      const isJoined = join(last, call, canMiss, (joined, args) => {
        if (last.args[0] === 'EVAL') plan.loaded[slot]?.delete(last.script as Script)
        last.script = joined
        runScript(plan, last, args, slot)
      })
      if (isJoined) return
    }
    const request: Request = { calls: [call], args: [], effect: call.effect, script, canMiss, isResend: call.sent }
    plan.requests.push(request)
    runScript(plan, request, call.args, slot)
  }
  const runScript = ({ loaded }: Plan, request: Request, args: PendingCall['args'], slot: number): void => {
    const script = request.script as Script
    const isLoaded = !isApart() && loaded[slot]?.has(script)
    request.args = scripts.commandFor(script, args, isLoaded || request.canMiss === true)
    if (request.args[0] !== 'EVAL') return
    loaded[slot] ??= new Set()
    loaded[slot].add(script)
  }
  /** The request of a call that is alone in its tick. Its script may go by digest: after NOSCRIPT no later call overtakes it. */
  const requestOf = (call: PendingCall): Request => {
    const { script, args, effect } = call
    if (!script) return asItIs(call)
    return { calls: [call], args: scripts.commandFor(script, args, true), effect, script, canMiss: true }
  }
  return {
    planBatch(queue, toCome) {
      const plan: Plan = { requests: [], openReads: [], loaded: [] }
      let bytes = 0
      let taken = 0
      /** Set by a script whose prelude may be refused. It goes last: later calls would overtake it when it is sent again. */
      let isComplete = false
      for (const call of queue) {
        bytes += call.size
        const isFull =
          bytes > MAX_BYTES || plan.requests.length === MAX_COMMANDS || call.bytes !== (queue[0] as PendingCall).bytes
        if (isComplete || (isFull && plan.requests[0])) break
        taken++
        if (toCome) for (const key of call.keys) toCome.set(key, (toCome.get(key) ?? 0) - 1)
        if (call.settled) continue
        if (call.args[0] === 'GET') addRead(plan, call)
        else {
          plan.openReads = []
          if (call.script) {
            addScript(plan, call, toCome)
            isComplete = !scripts.isPreludeKnown()
          } else if (!joinsHash(plan.requests.at(-1), call)) plan.requests.push(asItIs(call))
        }
        call.sent = true
      }
      queue.splice(0, taken)
      return plan.requests
    },
    planSimple(calls) {
      const [first, second] = calls as [PendingCall, PendingCall?]
      if (!second) return first.settled ? undefined : sending(requestOf(first))
      if (!ordered || placement.hasSlots || isApart() || calls.length > MAX_COMMANDS) return undefined
      const args: Request['args'] = ['MGET']
      let bytes = 0
      for (const call of calls) {
        bytes += call.size
        if (call.args[0] !== 'GET' || call.bytes || call.settled || bytes > MAX_BYTES) return undefined
        args.push(call.args[1] as string)
      }
      return sending({ calls: calls as PendingCall[], args, effect: 'read' })
    },
  }
}

/** Turns neighbouring HGETs on one hash into one HMGET. Returns whether the call was joined. */
function joinsHash(last: Request | undefined, call: PendingCall): boolean {
  const first = last?.calls[0]
  if (!last || !first || call.args[0] !== 'HGET' || last.calls.length >= MAX_COMMANDS) return false
  if (call.args.length !== 3 || first.args.length !== 3) return false
  if (first.args[0] !== 'HGET' || first.args[1] !== call.args[1]) return false
  if (last.calls.length === 1) last.args = ['HMGET', ...first.args.slice(1)]
  last.args.push(call.args[2] as string)
  last.calls.push(call)
  return true
}

function sending(request: Request): Request {
  for (const call of request.calls) call.sent = true
  return request
}

function asItIs(call: PendingCall): Request {
  return { calls: [call], args: call.args as Request['args'], effect: call.effect }
}
