import { sha1 } from '../protocol/digest.ts'
import { KEY_LOCKING_PRELUDE, withoutKeyLocking } from '../store/script-flags.ts'
import { type Command, ReplyError, type Transport } from '../store/transport.ts'

const MAX_SCRIPTS = 10_000
/** Scripts whose digests are kept beside their text: a batch may send one a thousand times. */
const MAX_TEXTS = 100
/** Longer ones are digested each time: a client chooses how long they are. */
const MAX_TEXT_LENGTH = 32_768

type Args = Command['args']

export interface Translated {
  /** What to send: without Upstash's flag in the script, digests translated. */
  readonly args: Args
  /** The digest that SCRIPT LOAD must answer: the original's. */
  readonly loaded?: string
}

/**
 * Lets scripts that carry `allow-key-locking` run on a server that does not know the flag: the script is sent without
 * it, and the digest of the original stays the one clients use. Bounded; a forgotten digest costs one NOSCRIPT.
 * A list of commands is translated one after the other, so that a digest is known after the EVAL before it.
 *
 * With a `transport`, the server behind it is asked once whether it knows the flag, when the first script with it comes:
 * then the flag stays. Rejects as the transport does, and asks again at the next script.
 */
export function createScriptFlags(transport?: Transport): (args: Args) => Translated | Promise<Translated> {
  const knowsFlag = transport && createFlagCheck(transport)
  const sent = new Map<string, string>()
  /** Text to the digests of the original and of what is sent. */
  const digests = new Map<string, Promise<[string, string]>>()
  const digest = (arg: Args[number]): Args[number] => sent.get(String(arg).toLowerCase()) ?? arg
  const replaceScript = (args: Args, at: number): Translated | Promise<Translated> => {
    const script = args[at]
    const plain = typeof script === 'string' ? withoutKeyLocking(script) : undefined
    return plain === undefined || plain === script ? { args } : remember(args, at, script as string, plain)
  }
  const remember = async (args: Args, at: number, script: string, plain: string): Promise<Translated> => {
    if (await knowsFlag?.()) return { args }
    let known = digests.get(script)
    if (!known) {
      if (digests.size >= MAX_TEXTS) digests.clear()
      known = Promise.all([sha1(script), sha1(plain)])
      if (script.length <= MAX_TEXT_LENGTH) digests.set(script, known)
    }
    const [original, stripped] = await known
    if (sent.size >= MAX_SCRIPTS) {
      const [oldest] = sent.keys()
      sent.delete(oldest as string)
    }
    sent.set(original, stripped)
    return { args: args.with(at, plain), loaded: original }
  }

  return (args) => {
    const [name, verb] = args
    if (name === 'EVAL' || name === 'EVAL_RO') return replaceScript(args, 1)
    if (name === 'EVALSHA' || name === 'EVALSHA_RO') {
      return { args: args.map((arg, i) => (i === 1 ? digest(arg) : arg)) }
    }
    if (name !== 'SCRIPT') return { args }
    if (/^LOAD$/i.test(String(verb))) return replaceScript(args, 2)
    if (/^EXISTS$/i.test(String(verb))) return { args: args.map((arg, i) => (i < 2 ? arg : digest(arg))) }
    if (/^FLUSH$/i.test(String(verb))) sent.clear()
    return { args }
  }
}

function createFlagCheck(transport: Transport): () => Promise<boolean> {
  let known: Promise<boolean> | undefined
  const ask = async (): Promise<boolean> => {
    const reply = await transport.send({ args: ['EVAL', `${KEY_LOCKING_PRELUDE}return 1`, 0], effect: 'read' })
    // Only what the server says of the script is worth keeping: not that it loads its data, or has no memory left.
    if (reply instanceof ReplyError && reply.word !== 'ERR') known = undefined
    return reply === 1
  }
  return async () => {
    known ??= ask()
    try {
      return await known
    } catch (error) {
      known = undefined
      throw error
    }
  }
}
