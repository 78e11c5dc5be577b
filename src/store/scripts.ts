import { sha1 } from '../protocol/digest.ts'
import { scriptOf } from '../protocol/operation.ts'
import { isUnexpectedFlag } from './script-flags.ts'
import { type ScriptGuard, UNPROVEN } from './script-guard.ts'
import type { PendingCall } from './tick.ts'
import { type Command, ReplyError, type Wire } from './transport.ts'

export type Script = NonNullable<PendingCall['script']>

/** What is known of an endpoint's scripts: their digests, and whether the endpoint accepts the prelude. */
export interface Scripts {
  /** False until the first reply to a script with the prelude. Until then, nothing may follow a script in its batch. */
  isPreludeKnown(): boolean
  /**
   * The command that runs a script. `isThere`: the endpoint has the script, or may reply NOSCRIPT; it then goes by its digest,
   * once that is known.
   */
  commandFor(script: Script, args: Command['args'], isThere: boolean): (string | number | Uint8Array)[]
  /** Records what the reply to a script shows. True: the endpoint did not run the script, and it must be sent again. */
  noteReply(script: Script, reply: Wire): boolean
}

/** `prelude`: the first line, newline included, put before every script until the endpoint refuses it; may be empty. */
export function createScripts(prelude: string, guard?: ScriptGuard): Scripts {
  let firstLine = prelude
  let isPreludeKnown = !prelude
  const known = new Map<Script, { readonly text: string; sha: string }>()
  return {
    isPreludeKnown: () => isPreludeKnown,
    commandFor(script, args, isThere) {
      let entry = known.get(script)
      if (!entry) {
        entry = { text: firstLine + (guard?.line ?? '') + scriptOf(script), sha: '' }
        known.set(script, entry)
      }
      return isThere && entry.sha ? ['EVALSHA', entry.sha, ...args] : ['EVAL', entry.text, ...args]
    },
    noteReply(script, reply) {
      isPreludeKnown = true
      if (reply instanceof ReplyError) {
        if (guard && reply.word === UNPROVEN) {
          guard.isRefused = true
          known.clear()
          return false
        }
        const isRefused = isUnexpectedFlag(reply)
        if (isRefused) firstLine = ''
        if (isRefused || reply.word === 'NOSCRIPT') {
          known.clear()
          return true
        }
      }
      const entry = known.get(script)
      if (entry && !entry.sha) {
        void sha1(entry.text).then((sha) => {
          entry.sha = sha
        })
      }
      return false
    },
  }
}
