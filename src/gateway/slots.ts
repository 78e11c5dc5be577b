import { ReplyError, type Transport, type Wire } from '../store/transport.ts'

type Args = readonly (string | number | Uint8Array)[]

/** One command over several keys as one command for each, and the reply that their replies make together. */
export interface Split {
  readonly commands: readonly Args[]
  merge(replies: readonly Wire[]): Wire
}

/** Which answer for several keys what they would answer for each: with the command for one key. */
const BY_KEY: Readonly<Record<string, string>> = {
  MGET: 'GET',
  DEL: 'DEL',
  UNLINK: 'UNLINK',
  EXISTS: 'EXISTS',
  TOUCH: 'TOUCH',
}

/** By key, where that means the same; undefined for any other command, and for a single key. */
export function splitByKey(name: string, args: Args): Split | undefined {
  const each = BY_KEY[name]
  if (each === undefined || args.length < 3) return undefined
  const commands = args.slice(1).map((key): Args => [each, key])
  return { commands, merge: each === 'GET' ? mergeValues : mergeCounts }
}

/** Of MGET: a key of another type is absent there. */
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

/** Two keys of different slots, which are asked for nothing but that. */
const PROBE: Args = ['EXISTS', 'a', 'b']

export interface Slots {
  /** Whether the server refuses keys of several slots in one command. Asks it once; false while it does not say. */
  known(): Promise<boolean>
  /** The server has answered CROSSSLOT. */
  learn(): void
}

export function createSlots(transport: Transport, timeoutAt: () => number): Slots {
  let slotted = transport.cluster === true ? true : undefined
  let asked = false
  let asking: Promise<boolean> | undefined
  const ask = async (): Promise<boolean> => {
    try {
      const reply = await transport.send({ args: PROBE, effect: 'read' }, { deadline: timeoutAt() })
      // Any other answer, such as NOPERM, is not worth asking again: a command that is refused still tells.
      asked = true
      if (isCrossSlot(reply)) slotted = true
    } catch {
      // No answer: the command that needs to know fails by itself.
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

/** What speaks for the whole database, of which a node of a Cluster has a part. */
const WHOLE = new Set(['SCAN', 'KEYS', 'DBSIZE', 'RANDOMKEY', 'FLUSHALL', 'FLUSHDB'])

/** Why a command may not pass before a Cluster: undefined where it may. */
export function refusalOfNode(name: string): string | undefined {
  return WHOLE.has(name) ? `ERR ${name} is not available before a Cluster: it would see one node of it` : undefined
}
