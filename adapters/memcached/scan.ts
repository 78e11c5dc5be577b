import { decodeText, openSocket } from '#socket'
import { HitherError } from '../../src/errors.ts'
import { checkSignal } from '../../src/protocol/arguments.ts'
import { concat } from '../../src/protocol/bytes.ts'
import { setDeadline } from '../../src/runtime/clock.ts'
import { limitOf, onLimit, passed } from '../../src/runtime/deadline.ts'
import type { Call } from '../../src/store/call.ts'
import { unopened } from '../../src/store/unopened-socket.ts'
import { loginOf } from './address.ts'
import type { Settings } from './connection.ts'

const LINE = /^key=(\S+) /
const BUSY_MS = 100

const unavailable = (cause?: unknown): HitherError =>
  new HitherError('STORE_UNAVAILABLE', 'memcached ended the list of its keys', { cause, retryable: true })

/**
 * The keys that a server lists (`lru_crawler metadump`), in portions, over a separate connection. Rejects with
 * `STORE_UNAVAILABLE` or `UNAUTHORIZED`, and with `UNSUPPORTED` if the server's crawler is switched off.
 */
export async function* listKeys(settings: Settings, call?: Call): AsyncGenerator<readonly string[]> {
  checkSignal(call?.signal)
  const { address, tls, connectTimeoutMs, linkTimeoutMs } = settings
  let rest: Uint8Array = new Uint8Array(0)
  let keys: string[] = []
  let failure: unknown
  let isOver = false
  let wake = (): void => {}
  let cancel = setDeadline(() => end(unavailable()), connectTimeoutMs)
  const ask = 'lru_crawler metadump hash\r\n'
  /** `hash` lists every key. A server that does not know `hash` is asked for `all`, which walks its LRU lists. */
  let fallback: string | undefined = 'lru_crawler metadump all\r\n'

  const end = (error: unknown): void => {
    failure ??= error
    isOver = true
    cancel()
    wake()
  }
  const onLine = (line: string): void => {
    const [, key] = LINE.exec(line) ?? []
    if (key !== undefined) keys.push(nameOf(key))
    else if (line === 'END') end(undefined)
    else if (line.startsWith('BUSY')) cancel = setDeadline(() => void socket.write([ask]), BUSY_MS)
    else if (line === 'OK') return
    else if (line === 'STORED') socket.write([ask])
    else if (/^CLIENT_ERROR (?!lru)/.test(line))
      end(new HitherError('UNAUTHORIZED', 'memcached refused the user or the password'))
    else if (fallback !== undefined) {
      socket.write([fallback])
      fallback = undefined
    } else end(new HitherError('UNSUPPORTED', 'this memcached does not list its keys: its crawler is switched off'))
  }
  const { host, port, username } = address
  const socket = opened(
    { host, port, ...(tls ? { tls } : {}) },
    {
      onOpen() {
        if (!username) return void socket.write([ask])
        // The server lists nothing behind another command, so the reply to the login comes first.
        socket.write(loginOf(address))
      },
      onData(bytes) {
        cancel()
        cancel = setDeadline(() => end(unavailable()), linkTimeoutMs)
        rest = eachLine(concat([rest, bytes]), onLine)
        if (isOver) cancel()
        wake()
      },
      onDrain() {},
      onEnd: (cause) => end(isOver ? undefined : unavailable(cause)),
    },
  )
  const callOff = onLimit(limitOf(call), passed, end)
  try {
    for (;;) {
      if (keys.length > 0) {
        const portion = keys
        keys = []
        yield portion
      } else if (failure !== undefined) throw failure
      else if (isOver) return
      else
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    }
  } finally {
    callOff()
    cancel()
    socket.destroy()
  }
}

const opened: typeof openSocket = (target, events) => {
  try {
    return openSocket(target, events)
  } catch (error) {
    throw unopened(error)
  }
}

/** Calls `onLine` for each whole line, and returns the bytes after the last one. */
function eachLine(bytes: Uint8Array, onLine: (line: string) => void): Uint8Array {
  let at = 0
  for (let end = bytes.indexOf(10, at); end >= 0; end = bytes.indexOf(10, at)) {
    onLine(decodeText(bytes, at, bytes[end - 1] === 13 ? end - 1 : end))
    at = end + 1
  }
  return bytes.slice(at)
}

/** Decodes a listed key: the server escapes all but letters, digits and the marks of a url. */
function nameOf(escaped: string): string {
  const bytes = Uint8Array.from(
    escaped.replace(/%([0-9A-F]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    (one) => one.charCodeAt(0),
  )
  return decodeText(bytes, 0, bytes.length)
}

/** A regular expression for a glob pattern of Redis: `*`, `?`, `[abc]`, `[^a-c]`, and `\` before a literal character. */
export function globOf(pattern: string): RegExp {
  let source = ''
  for (let i = 0; i < pattern.length; i++) {
    const sign = pattern[i] as string
    const close = sign === '[' ? pattern.indexOf(']', i + 2) : -1
    if (sign === '*') source += '[^]*'
    else if (sign === '?') source += '[^]'
    else if (close > 0) {
      const set = pattern.slice(i + 1, close)
      source += `[${set.replace(/[\\\]]/g, '\\$&').replace(/(?!^)\^/g, '\\^')}]`
      i = close
    } else {
      const plain = sign === '\\' && i + 1 < pattern.length ? (pattern[++i] as string) : sign
      source += plain.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
    }
  }
  return new RegExp(`^${source}$`)
}
