import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import { HitherError } from 'hither'
import type { GatewayTokens } from 'hither/gateway'

export interface TokenFile {
  /** The tokens as they are now: the same list until the file has changed. */
  readonly read: () => GatewayTokens
  /** Looks at once. */
  reload(): void
  close(): void
}

const POLL_MS = 1000

/**
 * Tokens from a file, read again within a second after it changed: a JSON list of texts and of objects, or a token a
 * line. A file that cannot be read or is no such list leaves the tokens as they were, and `onRefused` hears why. Throws
 * `INVALID_ARGUMENT` for one that cannot be read at first. No message holds what is in the file.
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

/** A JSON list, or a token a line; `#` begins a line that is none. */
export function parseTokens(text: string): GatewayTokens {
  if (!text.trimStart().startsWith('[')) {
    const lines = text.split('\n').map((line) => line.trim())
    return lines.filter((line) => line !== '' && !line.startsWith('#'))
  }
  try {
    return JSON.parse(text) as GatewayTokens
  } catch {
    throw new HitherError('INVALID_ARGUMENT', 'the tokens are no list of JSON')
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as { code?: string }
    throw new HitherError('INVALID_ARGUMENT', `the file of tokens cannot be read (${code})`)
  }
}
