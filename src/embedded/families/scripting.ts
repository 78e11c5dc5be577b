import type { Client, Family, Outcome, Run, Script } from '../contracts.ts'
import { OOM } from '../dispatch.ts'
import { int } from '../numbers.ts'
import { fail, OK, type Reply } from '../reply.ts'
import { SYNTAX } from './strings.ts'

/** The keys and the other arguments of a script. Throws error replies. */
function readNumKeys(args: readonly string[]): readonly [keys: readonly string[], rest: readonly string[]] {
  const count = int(args[2])
  if (count > args.length - 3) fail("ERR Number of keys can't be greater than number of args")
  if (count < 0) fail("ERR Number of keys can't be negative")
  return [args.slice(3, 3 + count), args.slice(3 + count)]
}

/** Runs `work` once the Lua runtime is open. */
export function withRuntime(client: Client, work: () => Outcome): Outcome {
  const { scripts } = client.engine
  return scripts.isOpen || !client.mayWait ? work() : scripts.openThen(client, work)
}

function evaluate(find: (client: Client, text: string) => Script, readOnly: boolean): Run {
  return (client, args) => {
    const [keys, rest] = readNumKeys(args)
    return withRuntime(client, () => {
      const script = find(client, args[1] as string)
      const { meter } = client.engine
      if (
        meter &&
        script.flags &&
        !script.flags.has('allow-oom') &&
        !script.flags.has('no-writes') &&
        !meter.makeRoom()
      )
        fail(OOM)
      return client.engine.scripts.run(client, script, { keys, args: rest, readOnly })
    })
  }
}

const byText = (client: Client, text: string): Script => client.engine.scripts.load(text)
const bySha = (client: Client, sha: string): Script =>
  client.engine.scripts.scripts.get(sha.toLowerCase()) ?? fail('NOSCRIPT No matching script. Please use EVAL.')

const checkFlush = (args: readonly string[], message: string): void => {
  if (args.length > 3 || (args[2] !== undefined && !/^a?sync$/i.test(args[2]))) fail(message)
}

export const scripting: Family = {
  eval: evaluate(byText, false),
  eval_ro: evaluate(byText, true),
  evalsha: evaluate(bySha, false),
  evalsha_ro: evaluate(bySha, true),
  'script|load': (client, args) => withRuntime(client, () => client.engine.scripts.load(args[2] as string).sha),
  'script|exists': (client, args): Reply =>
    args.slice(2).map((sha) => (client.engine.scripts.scripts.has(sha.toLowerCase()) ? 1 : 0)),
  'script|flush'(client, args) {
    checkFlush(args, 'ERR SCRIPT FLUSH only support SYNC|ASYNC option')
    client.engine.scripts.flush()
    return OK
  },
  'script|kill': () => fail('NOTBUSY No scripts in execution right now.'),
  'script|debug': () => fail(SYNTAX),
}
