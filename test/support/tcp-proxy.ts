/**
 * A fault proxy on loopback between a Redis client and a server. It recognizes where a RESP command ends, so that it can let
 * commands run and lose exactly their replies. Otherwise it passes bytes on as they come.
 *
 * To lose a reply, it sends the server an ECHO with a unique marker after the command, and passes nothing more to the client.
 * The marker in the server's replies shows that the command has run: then it cuts the connection.
 */
import { connect, type Socket } from 'node:net'
import { openPort } from './reopening-port.ts'

/** A command's name in upper case, then its arguments, as text. */
export type RespCommand = readonly string[]

export interface TcpProxyStats {
  /** Connections accepted so far. */
  readonly accepted: number
  /** Connections open now. */
  readonly open: number
  /** Commands passed to the server. */
  readonly commands: number
  /** How often replies were lost. Each time the client lost its connection, too. */
  readonly dropped: number
}

export interface TcpProxy {
  readonly port: number
  /** `redis://127.0.0.1:<port>` */
  readonly url: string
  readonly stats: TcpProxyStats
  /** Ends every fault below. Bytes that a stall held back move on; a refused port listens again. */
  pass(): Promise<void>
  /**
   * Loses replies: the command is passed on, the server runs it and replies, then the connection is cut and nothing of that reply
   * is delivered. Commands in the same write run too, and their replies are lost with it. In a transaction the reply to EXEC is
   * lost. A number means the next so many commands (one for each cut), without those that a client sends for its own set-up
   * (HELLO, INFO, CLUSTER, …). A predicate sees every command and stays in force until `pass`.
   */
  dropReplies(which: number | ((command: RespCommand) => boolean)): void
  /** Closes the port and every connection: the next connect is refused. */
  refuse(): Promise<void>
  /** Accepts connections, but moves no byte in either direction, on old and new connections. */
  stall(): void
  /** Ends every connection at once by a reset; new ones are served. */
  cut(): void
  /** Delays each piece by so many milliseconds in either direction, and keeps the order. */
  latency(ms: number): void
  /** Delivers replies one byte at a time. */
  slice(on?: boolean): void
  /** Ends all connections and closes the port. */
  stop(): Promise<void>
}

/** Commands that clients send by themselves, which `dropReplies(n)` does not count. */
const SETUP = new Set('HELLO AUTH SELECT INFO CLIENT CLUSTER COMMAND PING READONLY READWRITE ECHO QUIT'.split(' '))

/** Splits a byte stream into commands. `push` returns the complete ones, and how many bytes of an incomplete one are pending. */
function createReader(): { push(chunk: Buffer): { commands: RespCommand[]; pending: number } } {
  let buffer: Buffer = Buffer.alloc(0)
  const line = (from: number): { text: string; next: number } | undefined => {
    const end = buffer.indexOf('\r\n', from)
    return end < 0 ? undefined : { text: buffer.toString('latin1', from, end), next: end + 2 }
  }
  const one = (from: number): { command: RespCommand; next: number } | undefined => {
    const head = line(from)
    if (!head) return undefined
    if (!head.text.startsWith('*')) return { command: head.text.split(' '), next: head.next }
    const command: string[] = []
    let next = head.next
    for (let left = Number(head.text.slice(1)); left > 0; left--) {
      const size = line(next)
      if (!size) return undefined
      const end = size.next + Number(size.text.slice(1))
      if (buffer.length < end + 2) return undefined
      command.push(buffer.toString('utf8', size.next, end))
      next = end + 2
    }
    return { command, next }
  }
  return {
    push(chunk) {
      buffer = buffer.length > 0 ? Buffer.concat([buffer, chunk]) : chunk
      const commands: RespCommand[] = []
      let from = 0
      for (let found = one(from); found; found = one(from)) {
        const [name = '', ...args] = found.command
        commands.push([name.toUpperCase(), ...args])
        from = found.next
      }
      buffer = buffer.subarray(from)
      return { commands, pending: buffer.length }
    },
  }
}

/** Writes pieces in order, each when it is due. After a piece that goes `alone`, the next waits for a turn of the event loop. */
function createPipe(socket: Socket): (chunk: Buffer | 'end', delayMs: number, alone?: boolean) => void {
  const queue: { readonly chunk: Buffer | 'end'; readonly due: number; readonly alone: boolean }[] = []
  let waiting = false
  const drain = (): void => {
    waiting = false
    for (let head = queue[0]; head && !socket.destroyed; head = queue[0]) {
      const ms = head.due - performance.now()
      waiting = ms > 0
      if (waiting) return void setTimeout(drain, ms)
      queue.shift()
      if (head.chunk === 'end') socket.destroySoon()
      else socket.write(head.chunk)
      waiting = head.alone
      if (waiting) return void setImmediate(drain)
    }
  }
  return (chunk, delayMs, alone = false) => {
    queue.push({ chunk, due: delayMs > 0 ? performance.now() + delayMs : 0, alone })
    if (!waiting) drain()
  }
}

/** Listens on a free loopback port in front of the server at `target`, a port on loopback or a `redis:` URL. */
export async function createTcpProxy(target: number | string): Promise<TcpProxy> {
  const to = typeof target === 'number' ? target : Number(new URL(target).port)
  const pairs = new Set<{ client: Socket; server: Socket }>()
  const stats = { accepted: 0, commands: 0, dropped: 0 }
  let mode: 'pass' | 'stall' = 'pass'
  let delayMs = 0
  let sliced = false
  let left = 0
  let predicate: ((command: RespCommand) => boolean) | undefined
  let nonce = 0

  const lose = (command: RespCommand): boolean => {
    if (predicate?.(command)) return true
    if (left <= 0 || SETUP.has(command[0] ?? '')) return false
    left--
    return true
  }

  const serve = (client: Socket): void => {
    stats.accepted++
    const server = connect(to, '127.0.0.1')
    const pair = { client, server }
    const reader = createReader()
    /** Set once replies are being lost: the text that the server echoes when it has run all commands before. */
    let marker: string | undefined
    let losing = false
    let transaction: 'none' | 'open' | 'lost' = 'none'
    let heard = ''
    pairs.add(pair)
    for (const socket of [client, server]) {
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      if (mode === 'stall') socket.pause()
    }
    const toServer = createPipe(server)
    const toClient = createPipe(client)
    server.on('close', () => toClient('end', delayMs))
    client.on('close', () => {
      pairs.delete(pair)
      toServer('end', delayMs)
    })
    const judge = (command: RespCommand): boolean => {
      const [name] = command
      if (transaction === 'none' && name !== 'MULTI') return lose(command)
      if (name === 'MULTI') transaction = 'open'
      else if (name === 'EXEC') {
        const lost = transaction === 'lost' || lose(command)
        transaction = 'none'
        return lost
      } else if (name === 'DISCARD') transaction = 'none'
      else if (predicate?.(command)) transaction = 'lost'
      return false
    }

    client.on('data', (chunk: Buffer) => {
      if (marker !== undefined) return
      const { commands, pending } = reader.push(chunk)
      stats.commands += commands.length
      for (const command of commands) losing = judge(command) || losing
      if (!losing || transaction !== 'none') return toServer(chunk, delayMs)
      // the server echoes the marker after it has run all commands before
      marker = `lost-reply-${process.pid}-${++nonce}`
      if (chunk.length > pending) toServer(chunk.subarray(0, chunk.length - pending), delayMs)
      toServer(Buffer.from(`*2\r\n$4\r\nECHO\r\n$${marker.length}\r\n${marker}\r\n`), delayMs)
    })
    server.on('data', (chunk: Buffer) => {
      if (!losing) {
        if (!sliced) return toClient(chunk, delayMs)
        for (let i = 0; i < chunk.length; i++) toClient(chunk.subarray(i, i + 1), delayMs, true)
        return
      }
      heard = heard.slice(-100) + chunk.toString('latin1')
      if (marker === undefined || !heard.includes(marker)) return
      stats.dropped++
      client.resetAndDestroy()
      server.destroy()
    })
  }

  const cut = (): void => {
    for (const { client, server } of [...pairs]) {
      client.resetAndDestroy()
      server.destroy()
    }
    pairs.clear()
  }
  const refuse = async (): Promise<void> => {
    const closed = listener.close()
    cut()
    await closed
  }
  const listener = await openPort(serve)

  return {
    port: listener.port,
    url: `redis://127.0.0.1:${listener.port}`,
    get stats() {
      return { ...stats, open: pairs.size }
    },
    async pass() {
      mode = 'pass'
      delayMs = 0
      sliced = false
      left = 0
      predicate = undefined
      for (const { client, server } of pairs) {
        client.resume()
        server.resume()
      }
      await listener.open()
    },
    dropReplies(which) {
      if (typeof which === 'number') left = which
      else predicate = which
    },
    refuse,
    stall() {
      mode = 'stall'
      for (const { client, server } of pairs) {
        client.pause()
        server.pause()
      }
    },
    cut,
    latency(ms) {
      delayMs = ms
    },
    slice(on = true) {
      sliced = on
    },
    stop: refuse,
  }
}

/** One proxy for each node, and the `natMap` by which an ioredis Cluster connects through them. */
export interface ClusterProxy {
  readonly proxies: readonly TcpProxy[]
  /** For `new Cluster(nodes, { natMap })`. */
  readonly natMap: Record<string, { host: string; port: number }>
  readonly nodes: readonly { host: string; port: number }[]
  stop(): Promise<void>
}

/** Starts a proxy for each of `nodes`, written as in `CLUSTER_NODES`: `127.0.0.1:7000,127.0.0.1:7001`. */
export async function createClusterProxy(nodes: string): Promise<ClusterProxy> {
  const names = nodes.split(',')
  const proxies = await Promise.all(names.map((name) => createTcpProxy(`redis://${name}`)))
  const ends = proxies.map(({ port }) => ({ host: '127.0.0.1', port }))
  return {
    proxies,
    nodes: ends,
    natMap: Object.fromEntries(names.map((name, i) => [name, ends[i] as { host: string; port: number }])),
    async stop() {
      await Promise.all(proxies.map((proxy) => proxy.stop()))
    },
  }
}
