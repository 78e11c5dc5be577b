import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'
import { HitherError } from 'hither'
import { dumpEngine, type Engine, loadEngine } from 'hither/embedded'

const HEAD = 'hither-snapshot 1 '

/** FNV-1a of 32 bits: it detects a file that is cut short or damaged, not one that was forged. */
function checksum(text: string): string {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, '0')
}

/**
 * Loads a snapshot into the engine. A file that does not exist yet counts as empty. Throws `INVALID_ARGUMENT` for a file that
 * cannot be read or is not whole, and leaves it as it is.
 */
export function loadSnapshot(engine: Engine, file: string): void {
  if (!existsSync(file)) return
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    throw new HitherError('INVALID_ARGUMENT', 'the snapshot cannot be read')
  }
  const end = text.indexOf('\n')
  const body = text.slice(end + 1)
  if (end < 0 || text.slice(0, end) !== `${HEAD}${body.length} ${checksum(body)}`) {
    throw new HitherError(
      'INVALID_ARGUMENT',
      'the snapshot is torn or is none: it was left as it is, give another file',
    )
  }
  loadEngine(engine, JSON.parse(body))
}

const besideOf = (file: string): string => `${file}.${process.pid}.tmp`

function notWritten(cause: unknown): HitherError {
  const { code = '' } = cause as NodeJS.ErrnoException
  const why = code ? ` (${code})` : ''
  return new HitherError('INVALID_ARGUMENT', `the snapshot cannot be written${why}: the one before was kept`, { cause })
}

/** Throws `INVALID_ARGUMENT` if a snapshot could not be written. Called before there is any data to lose. */
export function checkSnapshot(file: string): void {
  const beside = besideOf(file)
  try {
    closeSync(openSync(beside, 'w', 0o600))
    rmSync(beside)
  } catch (error) {
    throw notWritten(error)
  }
}

/**
 * Writes a snapshot beside the file, then renames it to the file, so that the file is always whole. Throws `INVALID_ARGUMENT` if
 * the snapshot cannot be written; the file is then unchanged.
 */
export function saveSnapshot(engine: Engine, file: string): void {
  const body = JSON.stringify(dumpEngine(engine))
  const beside = besideOf(file)
  try {
    const handle = openSync(beside, 'w', 0o600)
    try {
      const bytes = Buffer.from(`${HEAD}${body.length} ${checksum(body)}\n${body}`)
      for (let at = 0; at < bytes.length; ) at += writeSync(handle, bytes, at)
      fsyncSync(handle)
    } finally {
      closeSync(handle)
    }
    renameSync(beside, file)
  } catch (error) {
    rmSync(beside, { force: true })
    throw notWritten(error)
  }
}
