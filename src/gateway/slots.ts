import { ReplyError, type Transport, type Wire } from '../store/transport.ts'

type Args = readonly (string | number | Uint8Array)[]

/** A command over several keys, as one command for each key, and the function that merges their replies. */
export interface Split {
  readonly commands: readonly Args[]
  merge(replies: readonly Wire[]): Wire
}

/** Commands whose reply for several keys follows from a command for each key: that command. */
const BY_KEY: Readonly<Record<string, string>> = {
  MGET: 'GET',
  DEL: 'DEL',
  UNLINK: 'UNLINK',
  EXISTS: 'EXISTS',
  TOUCH: 'TOUCH',
}

/** Splits a command by key if that means the same; undefined for any other command, and for a single key. */
export function splitByKey(name: string, args: Args): Split | undefined {
  const each = BY_KEY[name]
  if (each === undefined || args.length < 3) return undefined
  const commands = args.slice(1).map((key): Args => [each, key])
  return { commands, merge: each === 'GET' ? mergeValues : mergeCounts }
}

/** Merges replies for MGET, which replies null for a key of another type. */
function mergeValues(replies: readonly Wire[]): Wire {
  const isFault = (reply: Wire): boolean => reply instanceof ReplyError && reply.word !== 'WRONGTYPE'
  return replies.find(isFault) ?? replies.map((reply) => (reply instanceof ReplyError ? null : reply))
}

function mergeCounts(replies: readonly Wire[]): Wire {
  const fault = replies.find((reply) => reply instanceof ReplyError)
  return fault ?? replies.reduce<number>((sum, reply) => sum + Number(reply), 0)
}

export function isCrossSlot(reply: Wire): boolean {
  return reply instanceof ReplyError && reply.word === 'CROSSSLOT'
}

/** A harmless command with two keys of different slots. */
const PROBE: Args = ['EXISTS', 'a', 'b']

export interface Slots {
  /** Whether the server refuses keys of several slots in one command. Asks it once. False while the server does not reply. */
  known(): Promise<boolean>
  /** Notes that the server has replied CROSSSLOT. */
  learn(): void
}

export function createSlots(transport: Transport, timeoutAt: () => number): Slots {
  let slotted = transport.cluster === true ? true : undefined
  let asked = false
  let asking: Promise<boolean> | undefined
  const ask = async (): Promise<boolean> => {
    try {
      const reply = await transport.send({ args: PROBE, effect: 'read' }, { deadline: timeoutAt() })
      // Another reply, such as NOPERM, is not asked for again: the refusal of a later command still shows it.
      asked = true
      if (isCrossSlot(reply)) slotted = true
    } catch {
      // No reply: the command that is waiting for this will fail by itself.
    } finally {
      asking = undefined
    }
    return slotted === true
  }
  return {
    async known() {
      if (slotted || asked) return slotted === true
      asking ??= ask()
      return asking
    },
    learn() {
      slotted = true
    },
  }
}

/** Commands about the whole database. A node of a Cluster has only a part of it. */
const WHOLE = new Set(['SCAN', 'KEYS', 'DBSIZE', 'RANDOMKEY', 'FLUSHALL', 'FLUSHDB'])

/** Why a command may not pass in front of a Cluster; undefined if it may. */
export function refusalOfNode(name: string): string | undefined {
  return WHOLE.has(name) ? `ERR ${name} is not available before a Cluster: it would see one node of it` : undefined
}
