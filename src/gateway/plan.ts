import { type Command, ReplyError } from '../store/transport.ts'
import type { Answer } from './answer.ts'
import { commandOf, effectOf, formOf, type KnownCommand, mayPass } from './commands.ts'
import { emulate } from './emulate.ts'
import { Refusal } from './refusal.ts'
import type { Translated } from './scripts.ts'
import { refusalOfNode, type Slots, type Split, splitByKey } from './slots.ts'
import { type Grant, toReadOnly } from './tokens.ts'

type Args = Command['args']

/** The path of a list of commands, or `/` for a single command. */
export type BatchPath = '/' | '/pipeline' | '/multi-exec'

export interface RunRequest {
  readonly path: BatchPath
  readonly lines: readonly Args[]
  readonly grant: Grant
  /** Whether a page of another site sent the request, with the token in its url: it may only read. */
  readonly readsOnly: boolean
  /** Whether replies are wanted as bytes. */
  readonly bytes: boolean
  readonly answer: Answer
}

/** A command of a request that is sent, and how its reply is handled. */
export interface Place {
  /** Index in the request. */
  readonly at: number
  readonly name: string
  /** The arguments as they are sent. */
  readonly args: Args
  /** The digest that SCRIPT LOAD returns to the client. */
  readonly loaded: string | undefined
  readonly withTypes: boolean
  /** Set if it is sent as one command for each of its keys. `from` is the index of the first among the sent commands. */
  readonly split: Split | undefined
  readonly from: number
  /** Whether it may be sent again as one command a key, if the server refuses its keys for their slots. */
  readonly mayGoByKey: boolean
}

export interface Plan {
  readonly commands: readonly Command[]
  /** The place of each command that is sent; several commands may share one. */
  readonly places: readonly Place[]
}

export interface PlanOptions {
  readonly translate: (args: Args) => Translated | Promise<Translated>
  readonly slots: Slots
  /** Whether the transport is that of a Cluster. */
  readonly cluster: boolean
  /** Whether the server runs one script at a time on a key. */
  readonly scriptsAreAtomic: () => Promise<boolean>
}

/**
 * The commands of a request that are sent. In a pipeline, a command that may not run is refused in its place; elsewhere it
 * throws a `Refusal`, so that nothing runs.
 */
export async function planCommands(request: RunRequest, options: PlanOptions): Promise<Plan> {
  const commands: Command[] = []
  const places: Place[] = []
  for (const [at, given] of request.lines.entries()) {
    const command = commandOf(given)
    let error = refusalOf(command, given, request, options)
    if (command?.kind === 'script' && error === undefined && !(await options.scriptsAreAtomic())) error = NOT_ATOMIC
    if (error !== undefined || !command) {
      if (request.path !== '/pipeline') throw new Refusal(400, error as string)
      request.answer.put(at, new ReplyError(error as string))
      continue
    }
    const { args: meant, reply, withTypes = false } = emulate(request.grant.readOnly ? toReadOnly(given) : given)
    if (reply !== undefined) {
      request.answer.put(at, reply)
      continue
    }
    const translated = options.translate(meant)
    // Awaited only if needed: most are known at once, and a list has up to ten thousand commands.
    const { args, loaded } = translated instanceof Promise ? await translated : translated
    const { name } = command
    // A transaction is not split by key, because it would no longer be one.
    const byKey = request.path === '/multi-exec' ? undefined : splitByKey(name, args)
    const split = byKey && (await options.slots.known()) ? byKey : undefined
    const place = {
      at,
      name,
      args,
      loaded: name === 'SCRIPT LOAD' ? loaded : undefined,
      withTypes,
      split,
      from: commands.length,
      mayGoByKey: byKey !== undefined,
    }
    for (const each of split?.commands ?? [args]) {
      commands.push({ args: each, effect: effectOf(command) })
      places.push(place)
    }
  }
  return { commands, places }
}

/** Clients, such as `hither/upstash`, understand this as a server without scripts. */
const NOT_ATOMIC =
  'ERR This instance has Lua scripting support disabled: the server runs several scripts on one key at once. Garnet needs --lua-transaction-mode'

/** Why a command may not run; undefined if it may. */
function refusalOf(
  command: KnownCommand | undefined,
  args: Args,
  { grant, readsOnly }: RunRequest,
  { cluster }: PlanOptions,
): string | undefined {
  if (!mayPass(command, args)) return notAvailable(args)
  const refused = grant.refusal(command, args) ?? (cluster ? refusalOfNode(command.name) : undefined)
  if (refused !== undefined) return refused
  const reads = effectOf(command) === 'read' || (grant.readOnly && command.kind === 'script')
  return readsOnly && !reads ? 'NOPERM a page of another site may not write with the token in its url' : undefined
}

export function notAvailable(args: Args): string {
  return `ERR Command is not available: '${formOf(commandOf(args), args)}'. See the gateway's documentation, What is refused`
}
