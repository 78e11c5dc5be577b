import { ReplyError, StoreRejectedError, type Wire } from 'hither'
import { type Args, COMMANDS } from './commands.ts'

/** Runs commands: one, several in order, or several as a transaction. An error reply is returned as a value. */
export interface Backend {
  one(args: Args): Promise<Wire>
  list(commands: readonly Args[], atomic: boolean): Promise<readonly Wire[]>
}

type Method = (...args: never[]) => Args
const methods = Object.entries(COMMANDS) as [name: string, toArgs: Method][]

/** The methods of Upstash's client that `@upstash/ratelimit` calls, over `backend`. They decode replies as that client does. */
export function createClient(backend: Backend): object {
  const client: Record<string, unknown> = { pipeline: () => batch(false), multi: () => batch(true) }
  for (const [name, toArgs] of methods) {
    client[name] = async (...given: never[]) => {
      const args = toArgs(...given)
      return shape(args, await backend.one(args))
    }
  }

  const batch = (atomic: boolean): object => {
    const commands: Args[] = []
    const chain: Record<string, unknown> = {
      async exec() {
        const replies = await backend.list(commands, atomic)
        return replies.map((reply, i) => shape(commands[i] as Args, reply))
      },
    }
    for (const [name, toArgs] of methods) {
      chain[name] = (...given: never[]) => {
        commands.push(toArgs(...given))
        return chain
      }
    }
    return chain
  }
  return client
}

function shape([name]: Args, reply: Wire): unknown {
  // The package looks for NOSCRIPT in the text of the error.
  if (reply instanceof ReplyError) throw new StoreRejectedError(name, reply)
  return parse(reply)
}

/** Parses each text that is JSON, as Upstash's client does. */
function parse(reply: Wire): unknown {
  if (Array.isArray(reply)) return reply.map(parse)
  if (typeof reply === 'bigint') return Number(reply)
  if (typeof reply !== 'string') return reply
  try {
    return JSON.parse(reply)
  } catch {
    return reply
  }
}
