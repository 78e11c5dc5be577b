import { withoutKeyLocking } from '../store/script-flags.ts'
import type { Command, Wire } from '../store/transport.ts'

const MAX_SCRIPTS = 10_000

type Args = Command['args']

export interface ScriptFlags {
  /** The command with Upstash's flag taken out of its script, and its digest translated; others as they are. */
  translate(args: Args): Promise<Args>
  /** The reply as a client that knows the original script expects it. */
  restore(args: Args, reply: Wire): Wire
}

/**
 * Lets scripts that carry `allow-key-locking` run on a server that does not know the flag: the script is sent without
 * it, and the digest of the original stays the one clients use. Bounded; a forgotten digest costs one NOSCRIPT.
 */
export function createScriptFlags(): ScriptFlags {
  const stripped = new Map<string, string>()
  const originals = new Map<string, string>()
  const remember = async (script: string, plain: string): Promise<void> => {
    const [original, sent] = await Promise.all([sha1(script), sha1(plain)])
    if (stripped.size >= MAX_SCRIPTS) {
      const [oldest] = stripped
      if (oldest) {
        stripped.delete(oldest[0])
        originals.delete(oldest[1])
      }
    }
    stripped.set(original, sent)
    originals.set(sent, original)
  }
  const replaceScript = async (args: Args, at: number): Promise<Args> => {
    const script = args[at]
    const plain = typeof script === 'string' ? withoutKeyLocking(script) : undefined
    if (plain === undefined || plain === script) return args
    await remember(script as string, plain)
    return args.with(at, plain)
  }
  const digest = (arg: Args[number]): Args[number] => stripped.get(String(arg).toLowerCase()) ?? arg

  return {
    async translate(args) {
      const name = String(args[0]).toUpperCase()
      if (name === 'EVAL' || name === 'EVAL_RO') return replaceScript(args, 1)
      if (name === 'EVALSHA' || name === 'EVALSHA_RO') return args.with(1, digest(args[1] ?? ''))
      if (name !== 'SCRIPT') return args
      const verb = String(args[1]).toUpperCase()
      if (verb === 'LOAD') return replaceScript(args, 2)
      if (verb === 'EXISTS') return args.map((arg, i) => (i < 2 ? arg : digest(arg)))
      if (verb === 'FLUSH') {
        stripped.clear()
        originals.clear()
      }
      return args
    },
    restore(args, reply) {
      const loads = String(args[0]).toUpperCase() === 'SCRIPT' && String(args[1]).toUpperCase() === 'LOAD'
      if (!loads) return reply
      const sha = reply instanceof Uint8Array ? new TextDecoder().decode(reply) : reply
      return (typeof sha === 'string' && originals.get(sha)) || reply
    },
  }
}

async function sha1(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest('SHA-1', new TextEncoder().encode(text)))
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
