import type { HitherError } from '../../src/errors.ts'
import { now } from '../../src/runtime/clock.ts'
import type { Call } from '../../src/store/call.ts'
import { createExclusivePool, type Lendable } from '../../src/store/exclusive-pool.ts'
import type { Exclusive } from '../../src/store/transport.ts'
import { type Calls, createCalls } from './calls.ts'
import { openConnection } from './connection.ts'
import { createLink } from './link.ts'
import type { Settings } from './settings.ts'
import type { Connection } from './wiring.ts'

/** Most connections that wait for the server at a time (BLPOP and its kin). */
const MAX_WAITING = 64
const GRACE_MS = 1000

/** One server, and the connections to it. */
export interface Node {
  /** `host:port`. */
  readonly name: string
  readonly settings: Settings
  /** Whether one of the shared connections is open. */
  isReady(): boolean
  /** The latest `heardAt` of its open shared connections, in epoch milliseconds; 0 if none is open. */
  heardAt(): number
  /** The connection that all commands of a hash slot share, so that they keep their order. */
  calls(slot: number): Calls
  /** A connection for one caller alone. */
  exclusive(call?: Call): Promise<Exclusive>
  /** A connection for one caller alone, for a command that waits. */
  patient(call?: Call): Promise<Exclusive>
  /** Waits up to a second for the replies to commands under way, then ends the connections. */
  close(): Promise<void>
}

export function nameOf(host: string, port: number): string {
  return `${host}:${port}`
}

/** Connects at the first call. `connections`: how many connections calls share. */
export function createNode(settings: Settings, idleMs: number, connections: number): Node {
  const { host, port, path } = settings.address
  const links = Array.from({ length: connections }, () => createLink(settings, idleMs))
  const calls = links.map((link) => createCalls(link.pick, true))
  const pool = createExclusivePool(() => openOwn(settings, idleMs, false))
  const waiting = createExclusivePool(() => openOwn(settings, idleMs, true), MAX_WAITING)
  return {
    name: path || nameOf(host, port),
    settings,
    isReady: () => links.some((link) => link.isReady()),
    heardAt: () => Math.max(...links.map((link) => link.heardAt())),
    calls: (slot) => calls[slot % connections] as Calls,
    exclusive: (call) => pool.acquire(call),
    patient: (call) => waiting.acquire(call),
    async close() {
      await Promise.all([...links.map((link) => link.close()), pool.close(), waiting.close()])
    },
  }
}

/** A connection that is never opened again: its server would have forgotten its state, such as a WATCH. */
function openOwn(settings: Settings, idleMs: number, patient: boolean): Lendable {
  let fault: HitherError | undefined
  const connection: Connection = openConnection(settings, {
    patient,
    onEnd(error) {
      fault = error
    },
  })
  const pick = (): Connection => {
    if (fault) throw fault
    return connection
  }
  return {
    ...createCalls(pick, false),
    get ended() {
      return connection.state() !== 'ready' || now() - connection.heardAt() > idleMs
    },
    close: (broken) => connection.leave(broken ? 0 : GRACE_MS),
  }
}
