import { HitherError } from '../../src/errors.ts'
import { ReplyError, type Wire } from '../../src/store/transport.ts'
import { nameOf } from './node.ts'

const SLOTS = 16_384

/** The nodes of one slot: its primary, then its replicas, each `host:port`. */
export type SlotNodes = readonly string[]

/**
 * The addresses at which this process reaches nodes, by the `host:port` that the nodes use for each other. For a Cluster behind
 * an address translation. A node that is not listed is reached at its `host:port`.
 */
export type NatMap = Readonly<Record<string, { readonly host: string; readonly port: number }>>

/** The `host:port` at which this process reaches a node. An empty host means the host that was asked. */
export function reach(host: string, port: number, asked: string, natMap: NatMap): string {
  const name = nameOf(host || asked, port)
  const mapped = Object.hasOwn(natMap, name) ? natMap[name] : undefined
  return mapped ? nameOf(mapped.host, mapped.port) : name
}

/** The parts of `host:port`; the host may be an IPv6 address. */
export function splitName(name: string): { readonly host: string; readonly port: number } {
  const colon = name.lastIndexOf(':')
  return { host: name.slice(0, colon), port: Number(name.slice(colon + 1)) }
}

/**
 * Reads the reply to CLUSTER SLOTS into a table by slot. `asked`: the host that replied, which an empty host stands for.
 * Throws `BAD_REPLY` for any other form, `UNAUTHORIZED` for a user that may not ask, `UNSUPPORTED` for a server outside a Cluster,
 * and `STORE_UNAVAILABLE` for any other error reply or a table without a slot.
 * https://redis.io/docs/latest/commands/cluster-slots/
 */
export function readSlots(reply: Wire, asked: string, natMap: NatMap): (SlotNodes | undefined)[] {
  if (reply instanceof ReplyError) {
    if (reply.word === 'NOPERM') {
      throw new HitherError('UNAUTHORIZED', 'the user may not ask which node serves which key: it needs +cluster|slots')
    }
    if (/cluster support disabled/.test(reply.message)) {
      throw new HitherError(
        'UNSUPPORTED',
        'a list of urls is a Cluster, and this server is no node of one: give its url alone',
      )
    }
    throw new HitherError('STORE_UNAVAILABLE', `the server sent no table of slots: ${reply.word}`, { retryable: true })
  }
  if (!Array.isArray(reply)) throw malformed()
  const table: (SlotNodes | undefined)[] = new Array(SLOTS)
  let served = 0
  for (const range of reply as readonly Wire[]) {
    const [from, to, ...nodes] = Array.isArray(range) ? (range as readonly Wire[]) : []
    if (!isSlot(from) || !isSlot(to) || from > to || nodes.length === 0) throw malformed()
    const names = nodes.map((node) => {
      const [host, port] = Array.isArray(node) ? (node as readonly Wire[]) : []
      // `?` is a node whose name the others do not know.
      if (typeof port !== 'number' || (host !== null && typeof host !== 'string')) throw malformed()
      return reach(host === '?' || host === null ? '' : host, port, asked, natMap)
    })
    served += to - from + 1
    table.fill(names, from, to + 1)
  }
  if (served === 0) {
    throw new HitherError('STORE_UNAVAILABLE', 'the Cluster serves no slot: was it created?', { retryable: true })
  }
  return table
}

function isSlot(value: Wire | undefined): value is number {
  return typeof value === 'number' && value >= 0 && value < SLOTS
}

function malformed(): HitherError {
  return new HitherError('BAD_REPLY', 'CLUSTER SLOTS was answered in a form that is not Redis')
}
