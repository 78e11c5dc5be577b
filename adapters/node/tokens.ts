import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import { HitherError } from 'hither'
import type { GatewayTokens } from 'hither/gateway'

export interface TokenFile {
  /** The tokens as they are now: the same list until the file has changed. */
  readonly read: () => GatewayTokens
  /** Reads the file at once, if it has changed. */
  reload(): void
  close(): void
}

const POLL_MS = 1000

/**
 * Tokens from a file, which is read again within a second after a change: a JSON list of texts and objects, or one token per
 * line. If the file cannot be read later, or is no such list, the tokens stay as they were, and `onRefused` gets the error.
 * Throws `INVALID_ARGUMENT` if it cannot be read at first. No message contains anything from the file.
 */
export function tokensFromFile(path: string, onRefused: (error: HitherError) => void): TokenFile {
  let text = readText(path)
  let tokens = parseTokens(text)
  const reload = (): void => {
    try {
      const latest = readText(path)
      if (latest === text) return
      tokens = parseTokens(latest)
      text = latest
    } catch (error) {
      onRefused(error as HitherError)
    }
  }
  watchFile(path, { interval: POLL_MS, persistent: false }, reload)
  return { read: () => tokens, reload, close: () => unwatchFile(path, reload) }
}

/**
 * Parses a JSON list, or one token per line; a line that begins with `#` is a comment. Text that begins with `{` is a list whose
 * brackets were forgotten: its lines are no tokens.
 */
export function parseTokens(text: string): GatewayTokens {
  if (!/^\s*[[{]/.test(text)) {
    const lines = text.split('\n').map((line) => line.trim())
    return lines.filter((line) => line !== '' && !line.startsWith('#'))
  }
  try {
    const list: unknown = JSON.parse(text)
    if (Array.isArray(list)) return list
  } catch {
    // Its error would quote the text.
  }
  throw new HitherError('INVALID_ARGUMENT', 'the tokens are no list of JSON')
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as { code?: string }
    throw new HitherError('INVALID_ARGUMENT', `the file of tokens cannot be read (${code})`)
  }
}
