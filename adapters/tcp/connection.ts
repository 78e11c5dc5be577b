import { Buffer } from 'node:buffer'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { HitherError, StoreRejectedError } from '../../src/errors.ts'
import { onAbort } from '../../src/runtime/abort.ts'
import { NEVER, now, setDeadline, setQuietTimer, setTimer } from '../../src/runtime/clock.ts'
import { soon } from '../../src/runtime/per-tick.ts'
import type { RedisAddress } from '../../src/store/redis-url.ts'
import { createParser } from '../../src/store/resp.ts'
import { createEncoder } from '../../src/store/resp-encoder.ts'
import { SCRIPTS_AT_ONCE } from '../../src/store/tick.ts'
import { type Command, ReplyError, type Wire } from '../../src/store/transport.ts'
import { createQueue } from './queue.ts'

/** What proves a server and what proves a client, as `node:tls` takes it: PEM text, or bytes. */
export interface TlsOptions {
  readonly ca?: string | Uint8Array | (string | Uint8Array)[]
  readonly cert?: string | Uint8Array
  readonly key?: string | Uint8Array
  /** The name the server's certificate is for. @default the url's host */
  readonly servername?: string
  /** `false` takes any certificate: for development alone. @default true */
  readonly rejectUnauthorized?: boolean
}

export interface Settings {
  readonly address: RedisAddress
  readonly tls: TlsOptions
  readonly protocol: 2 | 3
  readonly connectTimeoutMs: number
  readonly linkTimeoutMs: number
  readonly maxQueue: number
  readonly maxReplyBytes: number
  readonly maxCallBytes: number
  readonly maxTotalReplyBytes: number | undefined
  /** A reply came after its caller had left. */
  onLate(command: string): void
  /** The server said that it is a node of a Cluster. */
  onCluster(): void
}

export interface Role {
  /** What is said unasked, and every reply that nobody waits for. @default such a reply ends the connection */
  onStray?(message: Wire): void
  onOpen?(): void
  /** Called once, also for a connection that never opened. */
  onEnd(error: HitherError, opened: boolean): void
  /** The server may take as long as it likes to answer: for commands that wait. @default false */
  readonly patient?: boolean
}

/** Commands of one call: written together and in order, answered together. */
export interface Entry {
  readonly commands: readonly Command[]
  readonly bytes: boolean
  readonly deadline: number
  readonly resolve: (reply: never) => void
  readonly reject: (error: unknown) => void
  /** What has been answered of several commands; absent where there is one. */
  readonly replies: Wire[] | undefined
  /** Replies still to come. */
  left: number
  /** What is held of the replies, in bytes on the wire. */
  held: number
  /** Of several commands: takes each reply while the caller waits, and returns what is kept of it. */
  readonly onReply?: ((reply: Wire, at: number) => Wire) | undefined
  /** Takes the listener off the caller's signal. */
  end?: () => void
  sent: boolean
  /** Its caller has been answered; a reply that comes later still takes its place. */
  over: boolean
  /** The key belongs to another node. */
  moved: boolean
}

export interface Connection {
  readonly state: 'opening' | 'ready' | 'leaving' | 'ended'
  /** Whether nothing is under way. */
  readonly idle: boolean
  /** When the server was last heard, in epoch milliseconds. */
  readonly heardAt: number
  /** Settles the entry by its replies, at its deadline, by its signal, or when the connection ends. Throws `OVERLOADED`. */
  add(entry: Entry, signal: AbortSignal | undefined): void
  /** Writes a command whose reply goes to `onStray`. */
  tell(args: Command['args']): void
  /** Takes no more, and ends when all under way is answered, or by force after so many milliseconds. */
  leave(graceMs: number): Promise<void>
  /** Ends it at once. */
  end(error: HitherError): void
}

/** Bytes handed to the socket in one write, about. */
const WRITE_BYTES = 65_536
const LOOK_AGAIN_MS = 20
const KEEP_ALIVE_MS = 30_000

/**
 * One connection from its opening to its end; it never comes back. Entries are written in the order they were added,
 * once it is open, as fast as the socket takes them; those of one run of microtasks share a write.
 */
export function openConnection(settings: Settings, role: Role): Connection {
  const { address, protocol, linkTimeoutMs, maxQueue } = settings
  const unsent = createQueue<Entry>()
  const sent = createQueue<Entry>()
  const encoder = createEncoder((text) => Buffer.byteLength(text))
  let state: Connection['state'] = 'opening'
  let heardAt = now()
  /** The `heardAt` since which the connection seemed dead. */
  let doubtedAt = 0
  /** Commands that are not answered yet, waiting or sent. */
  let load = 0
  /** Unsent entries whose callers have left. */
  let deserted = 0
  let blocked = false
  let scheduled = false
  let due = NEVER
  let cancelSweep: (() => void) | undefined
  let left: (() => void) | undefined

  const arm = (at: number): void => {
    if (at >= due) return
    cancelSweep?.()
    due = at
    cancelSweep = setDeadline(sweep, at - now(), 0, setQuietTimer)
  }
  /** Ends entries at their deadlines, and the connection when it is silent for too long. */
  const sweep = (): void => {
    due = NEVER
    const at = now()
    let next = NEVER
    for (const queue of [sent, unsent]) {
      for (const entry of queue) {
        if (entry.over) continue
        if (entry.deadline <= at) giveUp(entry, late(entry.sent))
        else if (entry.deadline < next) next = entry.deadline
      }
    }
    if (sent.size > 0 && !role.patient) {
      let silentAt = heardAt + linkTimeoutMs
      if (silentAt <= at) {
        // A process that was held up itself has not read yet what came meanwhile: it looks once more.
        if (doubtedAt === heardAt) return void finish(fault('STORE_UNAVAILABLE', `no reply for ${linkTimeoutMs} ms`))
        doubtedAt = heardAt
        silentAt = at + LOOK_AGAIN_MS
      }
      if (silentAt < next) next = silentAt
    }
    arm(next)
  }

  const settle = (entry: Entry): void => {
    entry.over = true
    entry.end?.()
  }
  const giveUp = (entry: Entry, error: unknown): void => {
    settle(entry)
    if (entry.replies) entry.replies.length = 0
    entry.reject(error)
    if (entry.sent || ++deserted * 2 < unsent.size) return
    unsent.keep((each) => {
      if (each.over) load -= each.commands.length
      return !each.over
    })
    deserted = 0
  }

  const write = (): boolean => {
    const { chunks, ascii } = encoder.take()
    if (chunks.length > 1) socket.cork()
    let more = true
    for (const chunk of chunks) {
      more = typeof chunk === 'string' ? socket.write(chunk, ascii ? 'latin1' : 'utf8') : socket.write(chunk)
    }
    if (chunks.length > 1) socket.uncork()
    return more
  }
  const send = (entry: Entry): void => {
    entry.sent = true
    if (sent.size === 0) heardAt = now()
    sent.push(entry)
    for (const { args } of entry.commands) encoder.add(args)
  }
  const flush = (): void => {
    scheduled = false
    while (!blocked && unsent.size > 0 && (state === 'ready' || state === 'leaving')) {
      let scripts = 0
      while (unsent.size > 0 && encoder.size < WRITE_BYTES && scripts < SCRIPTS_AT_ONCE) {
        const entry = unsent.shift() as Entry
        if (entry.commands[0]?.args[0] === 'EVALSHA') scripts += Number(entry.commands[0].args[2])
        if (!entry.over) send(entry)
        else {
          load -= entry.commands.length
          deserted--
        }
      }
      blocked = !write()
      arm(heardAt + linkTimeoutMs)
    }
    if (state === 'leaving' && load === 0) finish(closed())
  }
  const hop = (): void => soon(flush)

  const onReply = (reply: Wire, bytes: number): void => {
    if (state === 'ended') return
    const entry = sent.peek()
    if (!entry) {
      if (!role.onStray) throw fault('BAD_REPLY', 'the server answered what nobody asked')
      return void role.onStray(reply)
    }
    load--
    if (reply instanceof ReplyError && state !== 'opening') notice(reply, entry)
    const { replies } = entry
    // Of a call that is over nothing is held: its caller has left, and more may come for as long as the server likes.
    if (replies && !entry.over) {
      if (entry.onReply) replies.push(entry.onReply(reply, replies.length))
      else {
        entry.held += bytes
        replies.push(entry.held > settings.maxCallBytes ? tooLarge(settings.maxCallBytes) : reply)
      }
    }
    if (--entry.left > 0) return
    sent.shift()
    if (entry.over) settings.onLate(String(entry.commands[0]?.args[0]))
    else {
      settle(entry)
      if (entry.moved) entry.reject(moved(entry.commands.length > 1))
      else entry.resolve((replies ?? reply) as never)
    }
    if (load === 0 && state === 'leaving') finish(closed())
  }
  const notice = ({ word }: ReplyError, entry: Entry): void => {
    if (word === 'MOVED' || word === 'ASK') entry.moved = true
    // The primary has become a replica: what its name leads to now is another connection's to find out.
    if (word === 'READONLY') state = 'leaving'
  }

  const parse = createParser({
    onReply,
    onPush: (message) => role.onStray?.(message),
    wantsBytes: () => sent.peek()?.bytes === true,
    maxValueBytes: settings.maxReplyBytes,
    ...(settings.maxTotalReplyBytes === undefined ? {} : { maxTotalBytes: settings.maxTotalReplyBytes }),
    decode: (bytes, from, to) =>
      (bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).toString(
        'utf8',
        from,
        to,
      ),
  })

  const finish = (error: HitherError): void => {
    if (state === 'ended') return
    const opened = state !== 'opening'
    state = 'ended'
    cancelOpening()
    cancelSweep?.()
    socket.destroy()
    role.onEnd(error, opened)
    for (const queue of [sent, unsent]) {
      for (const entry of queue) {
        if (entry.over) continue
        settle(entry)
        entry.reject(endOf(error, entry.sent))
      }
      queue.keep(() => false)
    }
    load = 0
    left?.()
  }

  /** Asks before the connection is open to others. */
  const ask = (...lines: Command['args'][]): Promise<Wire[]> =>
    new Promise((resolve, reject) => {
      const commands = lines.map((args): Command => ({ args, effect: 'read' }))
      const rest = {
        bytes: false,
        deadline: NEVER,
        left: lines.length,
        held: 0,
        sent: false,
        over: false,
        moved: false,
      }
      load += commands.length
      send({ ...rest, commands, resolve, reject, replies: [] })
      write()
    })
  /** `HELLO` and what follows it; a server that does not know it speaks RESP2 and takes AUTH. */
  const greet = async (): Promise<void> => {
    const { username, password, db } = address
    // A user without a password has an empty one.
    const auth = username || password ? ['AUTH', username || 'default', password] : []
    const first: Command['args'][] = db > 0 ? [['SELECT', db], ['PING']] : [['PING']]
    let replies = await ask(['HELLO', protocol, ...auth], ...first)
    const [hello] = replies
    if (hello instanceof ReplyError && /^(ERR|NOPROTO)$/.test(hello.word)) {
      const plain = auth[0] ? [['AUTH', ...(username ? [username] : []), password]] : []
      replies = await ask(...plain, ...first)
    }
    const ping = replies.at(-1)
    for (const reply of replies) {
      if (reply instanceof ReplyError)
        check(reply, reply === ping ? 'PING' : db > 0 && reply === replies.at(-2) ? 'SELECT' : '')
    }
    if (state !== 'opening') return
    if (Array.isArray(hello) && hello[hello.indexOf('mode') + 1] === 'cluster') settings.onCluster()
    cancelOpening()
    state = 'ready'
    role.onOpen?.()
    flush()
  }

  const { host, port, path, family } = address
  const to = path ? { path } : { host, port, ...(family > 0 ? { family } : {}) }
  const socket: Socket = address.tls
    ? connectTls({ ...to, ...(isIP(host) ? {} : { servername: host }), ...(settings.tls as object) })
    : connectTcp(to)
  const cancelOpening = setDeadline(
    () => finish(unreached('no answer', `ETIMEDOUT after ${settings.connectTimeoutMs} ms`)),
    settings.connectTimeoutMs,
  )
  let failure: (Error & { readonly code?: string }) | undefined
  socket.setNoDelay(true)
  socket.setKeepAlive(true, KEEP_ALIVE_MS)
  socket.on(address.tls ? 'secureConnect' : 'connect', () => {
    greet().catch((error: unknown) => finish(error as HitherError))
  })
  socket.on('data', (chunk: Buffer) => {
    heardAt = now()
    try {
      parse(chunk)
    } catch (error) {
      finish(error as HitherError)
    }
  })
  socket.on('drain', () => {
    blocked = false
    flush()
  })
  socket.on('error', (error) => {
    failure = error
  })
  socket.on('close', () => {
    const reason = failure?.code ?? failure?.name ?? 'closed by the server'
    if (state === 'opening') finish(unreached('not connected', reason, failure))
    else finish(fault('STORE_UNAVAILABLE', `the connection ended (${reason})`, failure))
  })

  return {
    get state() {
      return state
    },
    get idle() {
      return load === 0
    },
    get heardAt() {
      return heardAt
    },
    add(entry, signal) {
      if (load + entry.commands.length > maxQueue) {
        throw new HitherError('OVERLOADED', `${maxQueue} commands wait for an answer`, { retryable: true })
      }
      load += entry.commands.length
      unsent.push(entry)
      if (entry.deadline < due) arm(entry.deadline)
      if (signal) {
        entry.end = onAbort(signal, () => giveUp(entry, signal.reason))
      }
      if (scheduled || blocked || state !== 'ready') return
      scheduled = true
      soon(hop)
    },
    tell(args) {
      encoder.add(args)
      write()
    },
    leave(graceMs) {
      if (state === 'opening' || load === 0) finish(closed())
      if (state === 'ended') return Promise.resolve()
      const cancel = setTimer(() => finish(closed()), graceMs)
      return new Promise((resolve) => {
        left = () => {
          cancel()
          resolve()
        }
        state = 'leaving'
      })
    },
    end: finish,
  }
}

/** Throws what an error reply to the greeting means for the connection; one that means nothing for it passes. */
function check(reply: ReplyError, command: 'SELECT' | 'PING' | ''): void {
  const { word } = reply
  if (/^(NOAUTH|WRONGPASS)$/.test(word) || /^ERR (invalid password|.*AUTH)/.test(reply.message)) {
    throw new HitherError('UNAUTHORIZED', 'the server refused the credentials: check user name and password')
  }
  if (command === 'SELECT') throw new StoreRejectedError('SELECT', word)
  // A server that cannot save (MISCONF) refuses PING and writes, and still answers reads; a user may lack PING.
  const passes = word === 'NOPERM' || (command === 'PING' && word !== 'LOADING')
  if (!passes) throw fault('STORE_UNAVAILABLE', `the server refused the connection: ${word}`)
}

function fault(code: 'STORE_UNAVAILABLE' | 'BAD_REPLY', message: string, cause?: unknown): HitherError {
  const retryable = code === 'STORE_UNAVAILABLE'
  return new HitherError(code, message, { retryable, ...(cause === undefined ? {} : { cause }) })
}

function tooLarge(bytes: number): ReplyError {
  return new ReplyError(`TOOLARGE the replies of one call are more than ${bytes} bytes together: the rest was not kept`)
}

function unreached(what: string, reason: string, cause?: unknown): HitherError {
  return fault(
    'STORE_UNAVAILABLE',
    `${what} (${reason}): check that the server runs and host and port are right`,
    cause,
  )
}

export function closed(): HitherError {
  return new HitherError('CLOSED', 'the transport is closed')
}

export function late(sent: boolean): HitherError {
  const message = sent ? 'no reply before the deadline' : 'no connection before the deadline'
  return new HitherError('TIMEOUT', message, { retryable: true, maybeExecuted: sent })
}

/** What the end of a connection means for one call. */
function endOf(error: HitherError, sent: boolean): HitherError {
  const { code, message, retryable, cause } = error
  if (error.maybeExecuted === sent) return error
  return new HitherError(code, message, { retryable, maybeExecuted: sent, ...(cause === undefined ? {} : { cause }) })
}

function moved(inPart: boolean): HitherError {
  return new HitherError(
    'UNSUPPORTED',
    'this server is a node of a Cluster: use ioredisStore(await connect(urls)) of hither/ioredis',
    { maybeExecuted: inPart },
  )
}
