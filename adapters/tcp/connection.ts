import { byteLength, decodeText, openSocket } from '#socket'
import { HitherError } from '../../src/errors.ts'
import { onAbort } from '../../src/runtime/abort.ts'
import { NEVER, now, setDeadline, setTimer } from '../../src/runtime/clock.ts'
import { createParser } from '../../src/store/resp.ts'
import { createEncoder } from '../../src/store/resp-encoder.ts'
import { type Command, ReplyError, type Wire } from '../../src/store/transport.ts'
import { unopened } from '../../src/store/unopened-socket.ts'
import { closed, fault, ofCall, refused, unreached } from './errors.ts'
import { greet } from './greeting.ts'
import { arm, settle } from './patience.ts'
import { createQueue } from './queue.ts'
import { take } from './replies.ts'
import type { FoundAddress, Settings } from './settings.ts'
import type { Connection, Entry, Role, Wiring } from './wiring.ts'
import { flush, put, schedule, write } from './writing.ts'

/** The part of `connectTimeoutMs` that the TLS handshake and the greeting may take. */
const HANDSHAKE = 0.6
const NO_TLS = 'connected, and no answer by TLS: is it TLS? redis:// is for a server without'

/**
 * One connection from its opening to its end; it is never opened again. Once it is open, entries are written in the order they
 * were added, as fast as the socket takes them (`writing.ts`). Entries of one run of microtasks share a write. Their replies
 * settle them in the same order (`replies.ts`), unless their deadlines do so first (`patience.ts`).
 *
 * Its state is `opening` until the greeting is done (`greeting.ts`), then `ready`. It is `leaving` once it accepts no new calls
 * but still waits for replies, after `leave` or a READONLY reply. It is `ended` after `finish`, which rejects all entries that
 * are not settled.
 */
export function openConnection(settings: Settings, role: Role): Connection {
  const on: Wiring = {
    settings,
    role,
    socket: undefined,
    state: 'opening',
    unsent: createQueue<Entry>(),
    sent: createQueue<Entry>(),
    encoder: createEncoder(byteLength),
    load: 0,
    deserted: 0,
    blocked: false,
    scheduled: false,
    heardAt: now(),
    doubtedAt: 0,
    due: NEVER,
    cancelSweep: undefined,
    cancelOpening: undefined,
    left: undefined,
    onMisled: undefined,
    end: (error) => finish(on, error),
  }
  const { connectTimeoutMs, locate, address } = settings
  endOpeningIn(on, connectTimeoutMs, 'no answer')
  if (locate) locate().then((found) => connect(on, found), on.end)
  else connect(on, address)
  return {
    state: () => on.state,
    isIdle: () => on.load === 0,
    heardAt: () => on.heardAt,
    add: (entry, signal) => add(on, entry, signal),
    tell(args) {
      on.encoder.add(args)
      write(on)
    },
    leave: (graceMs) => leave(on, graceMs),
    end: on.end,
  }
}

function endOpeningIn(on: Wiring, ms: number, what: string): void {
  on.cancelOpening?.()
  on.cancelOpening = setDeadline(() => on.end(unreached(what, `ETIMEDOUT after ${ms} ms`)), ms)
}

function connect(on: Wiring, address: FoundAddress): void {
  if (on.state !== 'opening') return
  on.onMisled = address.onMisled
  const { settings, role, sent } = on
  const parse = createParser({
    onReply: (reply, bytes) => take(on, reply, bytes),
    onPush: (message) => role.onStray?.(message),
    wantsBytes: () => sent.peek()?.bytes === true,
    maxValueBytes: settings.maxReplyBytes,
    ...(settings.maxTotalReplyBytes === undefined ? {} : { maxTotalBytes: settings.maxTotalReplyBytes }),
    decode: decodeText,
  })
  const { host, port, path, family, tls } = address
  try {
    on.socket = openSocket(
      { host, port, family, ...(path ? { path } : {}), ...(tls ? { tls: settings.tls } : {}) },
      {
        // A server without TLS says nothing to a TLS handshake. This shorter limit reports that before callers give up.
        onReached: () => endOpeningIn(on, settings.connectTimeoutMs * HANDSHAKE, NO_TLS),
        onOpen: () => void greet(address, settings, (lines) => ask(on, lines)).then(() => ready(on), on.end),
        onData(chunk) {
          on.heardAt = now()
          try {
            parse(chunk)
          } catch (error) {
            on.end(error as HitherError)
          }
        },
        onDrain() {
          on.blocked = false
          flush(on)
        },
        onEnd: (cause) => on.end(endOf(on, cause)),
      },
    )
  } catch (error) {
    // Not at once: whoever opens a connection must have it before it ends.
    queueMicrotask(() => on.end(unopened(error)))
  }
}

/**
 * The error for the end of a socket. It names only the code of the cause: the cause's message may quote what was sent. A server
 * that has refused the greeting may end the connection before its other replies.
 */
function endOf(on: Wiring, cause: unknown): HitherError {
  const [said] = (on.state === 'opening' && on.sent.peek()?.replies) || []
  if (said instanceof ReplyError) return refused(said, cause)
  const { code, name } = (cause ?? {}) as { readonly code?: unknown; readonly name?: unknown }
  const reason = String(code ?? name ?? 'closed by the server')
  return on.state === 'opening'
    ? unreached('not connected', reason, cause)
    : fault('STORE_UNAVAILABLE', `the connection ended (${reason})`, cause)
}

/** Sends the commands of the greeting, before the connection is open to others. */
function ask(on: Wiring, lines: readonly Command['args'][]): Promise<Wire[]> {
  return new Promise((resolve, reject) => {
    const commands = lines.map((args): Command => ({ args, effect: 'read' }))
    const entry = { commands, bytes: false, deadline: NEVER, left: lines.length, held: 0, sent: false, over: false }
    on.load += lines.length
    put(on, { ...entry, resolve, reject, replies: [] })
    write(on)
  })
}

function ready(on: Wiring): void {
  if (on.state !== 'opening') return
  on.cancelOpening?.()
  on.state = 'ready'
  on.role.onOpen?.()
  flush(on)
}

function add(on: Wiring, entry: Entry, signal: AbortSignal | undefined): void {
  const { maxQueue } = on.settings
  if (on.load + entry.commands.length > maxQueue) {
    throw new HitherError('OVERLOADED', `${maxQueue} commands wait for an answer`, { retryable: true })
  }
  on.load += entry.commands.length
  on.unsent.push(entry)
  if (entry.deadline < on.due) arm(on, entry.deadline)
  if (signal) entry.end = onAbort(signal, () => settle(on, entry, signal.reason))
  if (!on.scheduled && !on.blocked && on.state === 'ready') schedule(on)
}

function leave(on: Wiring, graceMs: number): Promise<void> {
  if (on.state === 'opening' || on.load === 0 || graceMs === 0) on.end(closed())
  if (on.state === 'ended') return Promise.resolve()
  const cancel = setTimer(() => on.end(closed()), graceMs)
  return new Promise((resolve) => {
    on.left = () => {
      cancel()
      resolve()
    }
    on.state = 'leaving'
  })
}

function finish(on: Wiring, error: HitherError): void {
  if (on.state === 'ended') return
  const opened = on.state !== 'opening'
  on.state = 'ended'
  on.cancelOpening?.()
  on.cancelSweep?.()
  on.socket?.destroy()
  if (!opened) on.onMisled?.()
  on.role.onEnd(error, opened)
  for (const queue of [on.sent, on.unsent]) {
    for (const entry of queue) {
      if (entry.over) continue
      entry.over = true
      entry.end?.()
      entry.reject(ofCall(error, entry.sent))
    }
    queue.keep(() => false)
  }
  on.load = 0
  on.left?.()
}
