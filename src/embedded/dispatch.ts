import { ReplyError } from '../store/transport.ts'
import { type Client, type Command, type Engine, type Outcome, SENT } from './contracts.ts'
import { fail, QUEUED, quoting, replyOf } from './reply.ts'
import { keyPositions } from './table.ts'
import { mayRun } from './users.ts'

const AT_ONCE = new Set(['exec', 'discard', 'multi', 'watch', 'quit', 'reset'])
const WHILE_SUBSCRIBED = new Set([
  'ping',
  'subscribe',
  'ssubscribe',
  'psubscribe',
  'unsubscribe',
  'sunsubscribe',
  'punsubscribe',
  'quit',
  'reset',
])
const NO_AUTH = 'NOAUTH Authentication required.'
export const OOM = "OOM command not allowed when used memory > 'maxmemory'."

function unknown(args: readonly string[]): string {
  let quoted = ''
  for (let i = 1; i < args.length && quoted.length < 128; i++) {
    quoted += quoting`'${(args[i] as string).slice(0, 128 - quoted.length)}' `
  }
  return quoting`ERR unknown command '${(args[0] as string).slice(0, 128)}', with args beginning with: ${quoted}`.replace(
    /[\r\n]/g,
    ' ',
  )
}

/** Finds the command and checks its number of words. Throws error replies. */
export function resolve(engine: Engine, args: readonly string[]): Command {
  const name = args[0] as string
  let command = engine.byName.get(name) ?? engine.table.get(name.toLowerCase()) ?? fail(unknown(args))
  if (command.subcommands.size > 0 && args.length > 1) {
    const sub = args[1] as string
    const child = command.subcommands.get(sub.toLowerCase())
    if (child) command = child
    else if (!command.run || command.name === 'command') {
      return fail(
        quoting`ERR unknown subcommand '${sub.slice(0, 128).replace(/[\r\n]/g, ' ')}'. Try ${command.name.toUpperCase()} HELP.`,
      )
    }
  }
  const { arity } = command
  if (arity > 0 ? args.length !== arity : args.length < -arity) {
    return fail(`ERR wrong number of arguments for '${command.name}' command`)
  }
  return command
}

/** Throws an error reply if the client may not run the command now. */
function check(engine: Engine, client: Client, command: Command, args: readonly string[]): void {
  if (!client.user && !command.flags.has('no_auth')) fail(NO_AUTH)
  if (client.user && !client.user.isAll) mayRun(client.user, command, args)
  if (client.readOnly && command.isWrite) fail('ERR Write commands are not allowed from read-only scripts.')
  if (client.isScript && command.flags.has('noscript')) fail('ERR This Redis command is not allowed from script')
  if (engine.meter && command.denyOom && !engine.meter.makeRoom()) fail(OOM)
  const { resp, channels, patterns, shardChannels } = client
  if (resp === 2 && channels.size + patterns.size + shardChannels.size > 0 && !WHILE_SUBSCRIBED.has(command.name)) {
    fail(
      `ERR Can't execute '${command.name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
    )
  }
}

/** Runs one command of a client, and returns errors as replies. Afterwards it serves the clients that waited for its changes. */
export function execute(engine: Engine, client: Client, args: readonly string[]): Outcome {
  if (engine.depth === 0) engine.nowMs = engine.clock()
  let command: Command | undefined
  let isAllowed = false
  try {
    command = resolve(engine, args)
    check(engine, client, command, args)
    if (client.queue && !client.isScript && !AT_ONCE.has(command.name)) {
      if (command.flags.has('no_multi')) fail('ERR Command not allowed inside a transaction')
      client.queue.push({ command, args })
      return QUEUED
    }
    isAllowed = true
    return run(engine, client, command, args)
  } catch (caught) {
    const error = replyOf(caught)
    // A web page may make a browser send an HTTP request here. Close the connection, so that none of its lines runs.
    if (!command && client.outlet.close && /^(post|host:)$/i.test(args[0] as string)) {
      client.outlet.close()
      return SENT
    }
    // A refused command makes EXEC refuse the transaction. An error of a command that ran, such as a nested MULTI, does not.
    if (isAllowed) return error
    if ((args[0] as string).toLowerCase() === 'exec') {
      client.queue = undefined
      client.aborted = false
      engine.unwatch(client)
      return new ReplyError(`EXECABORT Transaction discarded because of: ${error.message.replace(/^ERR /, '')}`)
    }
    if (client.queue) client.aborted = true
    return error
  } finally {
    if (engine.depth === 0) engine.waiters.serve()
  }
}

/** The most words of subcommands that refuse more only when they run. */
const MOST_WORDS: Readonly<Record<string, number>> = {
  'acl|cat': 3,
  'acl|genpass': 3,
  'acl|log': 3,
  'client|pause': 4,
  'client|unblock': 4,
  'function|flush': 3,
  'pubsub|channels': 3,
  'pubsub|shardchannels': 3,
  'slowlog|get': 3,
}

/** Runs a command that was found and checked, and reports it to monitors and to key tracking. */
export function run(engine: Engine, client: Client, command: Command, args: readonly string[]): Outcome {
  engine.commandsRun++
  command.calls++
  client.lastCommand = command.name
  client.lastMs = engine.nowMs
  if (engine.monitors.size > 0) engine.toMonitors(client, command, args)
  const before = engine.current
  engine.current = { command, args }
  try {
    if (args.length > (MOST_WORDS[command.name] ?? args.length)) {
      const [parent = '', sub = ''] = args
      fail(`ERR unknown subcommand or wrong number of arguments for '${sub}'. Try ${parent.toUpperCase()} HELP.`)
    }
    const outcome = (command.run as NonNullable<Command['run']>)(client, args)
    // The caller of a script may keep what the script reads.
    const reader = client.caller ?? client
    if (reader.tracking && !command.isWrite && command.flags.has('readonly')) {
      engine.tracking.remember(
        reader,
        (keyPositions(command, args) ?? []).map((at) => args[at] as string),
      )
    }
    return outcome
  } finally {
    engine.current = before
    // CLIENT CACHING holds for the next command outside CLIENT, or for the whole transaction that follows.
    if (client.tracking && !client.queue && engine.depth === 0 && !command.name.startsWith('client|'))
      client.tracking.caching = undefined
  }
}

/** Runs the command of a waiting client again. */
export function rerun(engine: Engine, client: Client, command: Command, args: readonly string[]): Outcome {
  client.retrying = true
  engine.current = { command, args }
  try {
    return (command.run as NonNullable<Command['run']>)(client, args)
  } catch (error) {
    return replyOf(error)
  } finally {
    engine.current = undefined
    client.retrying = false
  }
}
