import { sha1 } from '../protocol/digest.ts'
import { KEY_LOCKING_PRELUDE, withoutKeyLocking } from '../store/script-flags.ts'
import { type Command, ReplyError, type Transport } from '../store/transport.ts'

const MAX_SCRIPTS = 10_000
/** Scripts whose digests are kept with their text, because a batch may send one script a thousand times. */
const MAX_TEXTS = 100
/** Longer scripts are digested each time, because a client chooses their length. */
const MAX_TEXT_LENGTH = 32_768

type Args = Command['args']

export interface Translated {
  /** The arguments to send: the script without Upstash's flag, digests translated. */
  readonly args: Args
  /** The digest that SCRIPT LOAD must return: that of the original. */
  readonly loaded?: string
}

/**
 * Lets scripts with the flag `allow-key-locking` run on a server that does not know the flag. The script is sent without it, and
 * clients still use the digest of the original. Memory is bounded: a forgotten digest costs one NOSCRIPT. Translate the commands
 * of a list one after another, so that a digest is known after the EVAL before it.
 *
 * With a `transport`, the server is asked once, at the first script with the flag, whether it knows the flag. If it does, the
 * flag stays. Rejects as the transport does, and then asks again at the next script.
 */
export function createScriptFlags(transport?: Transport): (args: Args) => Translated | Promise<Translated> {
  const knowsFlag = transport && createFlagCheck(transport)
  const sent = new Map<string, string>()
  /** By text: the digest of the original, and that of the script as it is sent. */
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
    // Only an error about the script is remembered; not that the server is loading its data, or has no memory left.
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
