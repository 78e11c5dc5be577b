import type { Command, Transport } from 'hither'
import { createScriptFlags } from 'hither/gateway'
import type { Backend } from './client.ts'
import { type Args, keysOf } from './commands.ts'

/** Hash tag of a Cluster key at its start, where only the package's `prefix` can put it: ids of callers come after the prefix. */
const TAGGED = /^\{[^}]+\}/

/** Runs the package's commands on a server: scripts without a flag that the server does not know; on a Cluster, in one slot. */
export function overTransport(transport: Transport): Backend {
  const translate = createScriptFlags(transport)
  const prepare = async (args: Args): Promise<Command> => ({
    args: (await translate(transport.cluster ? inOneSlot(args) : args)).args,
    effect: 'once',
  })
  return {
    one: async (args) => transport.send(await prepare(args)),
    async list(all, atomic) {
      const commands: Command[] = []
      for (const args of all) commands.push(await prepare(args))
      return atomic ? transport.transaction(commands) : transport.sendMany(commands)
    },
  }
}

function inOneSlot(args: Args): readonly string[] {
  const [start, end] = keysOf(args)
  return args.map((arg, i) => (i < start || i >= end || TAGGED.test(arg) ? arg : `{ratelimit}${arg}`))
}
