import { isHitherError } from 'hither'

/** Prints what went wrong in one line, and ends the process with exit code 2. */
export function fail(message: string): never {
  console.error(`hither: ${message.trim().replace(/\s*\n\s*/g, ' ')}`)
  process.exit(2)
}

/** What went wrong when the port was opened, by Node's error code. */
const LISTEN: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is taken: give another with --port',
  EACCES: 'the port needs more rights: give one above 1023 with --port',
  EADDRNOTAVAIL: '--host is no address of this machine',
  ENOTFOUND: '--host is no address of this machine',
}

/** An error in one line. An unforeseen error is shown by its name only, because its message may quote a secret. */
export function explain(error: unknown): string {
  if (isHitherError(error)) return `${error.code}: ${error.message}`
  const {
    code = '',
    message = '',
    name = 'Error',
  } = (error ?? {}) as { code?: string; message?: string; name?: string }
  // The message quotes the argument, which may be a token.
  if (code === 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL') return 'the command takes options only: try it with --help'
  if (String(code).startsWith('ERR_PARSE_ARGS')) return message
  return LISTEN[code] ?? `unexpected ${name}${code ? ` (${code})` : ''}: please report it with the options you gave`
}
